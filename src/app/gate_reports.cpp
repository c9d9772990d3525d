#include "app/gate_reports.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/base64.hpp"
#include "base/log.hpp"
#include "names/domain.hpp"
#include "reporting/causes.hpp"
#include "reporting/pin_outlook.hpp"
#include "reporting/sums.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kMostNames = 1000;  // of each kind in an answer

std::string text(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

json::array counted(const std::map<std::string, std::uint64_t>& of) {
  json::array out;
  for (const auto& [name, sessions] : reporting::largest(of, kMostNames))
    out.push_back(json::object{{"name", name}, {"sessions", sessions}});
  return out;
}

json::array counts(const std::map<std::string, reporting::Count>& of) {
  json::array out;
  for (const auto& [name, count] : of)
    out.push_back(json::object{{"name", name}, {"succeeded", count.succeeded}, {"failed", count.failed}});
  return out;
}

json::object problem(const std::string& kind, const reporting::Problem& p) {
  const reporting::Cause& cause = reporting::cause_of(kind);
  return {{"kind", kind},
          {"sessions", p.sessions},
          {"what", std::string(cause.what)},
          {"likely", std::string(cause.likely)},
          {"remedy", std::string(cause.remedy)},
          {"first", base::format_time(p.first)},
          {"last", base::format_time(p.last)},
          {"organization_count", p.organizations.size()},
          {"organizations", counted(p.organizations)},
          {"hosts", counted(p.hosts)},
          {"reasons", counted(p.reasons)}};
}

}  // namespace

bool never_taken(const base::Error& error) {
  return error.code.starts_with("tlsrpt.") || error.code.starts_with("reporting.");
}

void log_taken(const base::Result<reporting::Taken>& taken, const std::string& from) {
  if (!taken) {
    const auto level = never_taken(taken.error()) ? base::Level::info : base::Level::error;
    return base::log(level, "report_refused", {{"from", from}, {"reason", taken.error().detail}});
  }
  base::log_info("report_taken", {{"from", from},
                                  {"organization", taken->organization},
                                  {"id", taken->id},
                                  {"domains", fmt::format("{}", fmt::join(taken->domains, " "))},
                                  {"known", taken->known ? "yes" : "no"},
                                  {"problems", fmt::format("{}", fmt::join(taken->problems, "; "))}});
}

bool GateReports::knows(std::string_view command) {
  return command == "report.take" || command == "report.inbound";
}

io::Task<base::Result<json::value>> GateReports::run(json::object request) {
  if (text(request, "command") == "report.inbound") co_return sums(request);
  auto taken = co_await take(std::move(request));
  co_return taken;
}

io::Task<base::Result<json::value>> GateReports::take(json::object request) {
  auto delivered = base::base64_decode(text(request, "delivered"));
  if (!delivered) co_return base::fail("api.command", "report.take: 'delivered' is to be base64");
  const auto taken = co_await inbound_.take(std::move(*delivered), "mail");
  log_taken(taken, "mail");
  if (!taken && !never_taken(taken.error())) co_return std::unexpected(taken.error());
  if (!taken) co_return json::value(json::object{{"taken", false}, {"why", taken.error().detail}});
  co_return json::value(
      json::object{{"taken", true},
                   {"known", taken->known},
                   {"organization", taken->organization},
                   {"id", taken->id},
                   {"domains", json::array(taken->domains.begin(), taken->domains.end())},
                   {"problems", json::array(taken->problems.begin(), taken->problems.end())}});
}

base::Result<json::value> GateReports::sums(const json::object& request) const {
  const auto since = base::parse_time(text(request, "since"));
  if (!since) return std::unexpected(since.error());
  std::string domain = text(request, "domain");
  if (!domain.empty()) {
    const auto parsed = names::Domain::parse(domain);
    if (!parsed) return std::unexpected(parsed.error());
    domain = parsed->str();
    if (!inbound_.about_us(domain)) {
      return base::fail("reporting.domain", fmt::format("no reports are taken about {} here: it is neither a "
                                                        "[[gate.domain]] nor a host of the gate's",
                                                        domain));
    }
  }
  reporting::Sums sums;
  const auto read = inbound_.each(*since, [&](const reporting::ReceivedReport& report) {
    if (domain.empty() || report.domain == domain) sums.add(report);
    return true;
  });
  if (!read) return std::unexpected(read.error());

  json::object out{{"since", base::format_time(*since)},  {"reports", sums.reports()},
                   {"succeeded", sums.all().succeeded},   {"failed", sums.all().failed},
                   {"domains", counts(sums.by_domain())}, {"organizations", counts(sums.by_organization())}};
  json::array problems;
  for (const auto& [kind, p] : sums.problems()) problems.push_back(problem(kind, p));
  out["problems"] = std::move(problems);
  if (sums.problems().contains(reporting::kPinMismatch)) {
    const auto held = pins_();
    json::object pins{{"ledger", held.has_value()}, {"old_pin_until", nullptr}};
    const auto until =
        held ? reporting::old_pin_until(held->promises, held->live, clock_.now()) : std::nullopt;
    if (until) pins["old_pin_until"] = base::format_time(*until);
    out["pins"] = std::move(pins);
  }
  json::array rows;
  for (const auto& [key, sessions] : sums.rows()) {
    rows.push_back(json::object{{"day", key.day},
                                {"domain", key.domain},
                                {"organization", key.organization},
                                {"policy", key.policy},
                                {"result", key.result.empty() ? "success" : key.result},
                                {"sessions", sessions}});
  }
  out["rows"] = std::move(rows);
  return json::value(std::move(out));
}

}  // namespace pinnace::app
