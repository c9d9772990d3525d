// Does a chain, a name or a record pass, by the very functions that a delivery uses?
#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/commands.hpp"
#include "app/offline_input.hpp"
#include "pins/lint.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

// A record a line; '#' begins a comment.
base::Result<std::vector<dane::Tlsa>> read_tlsa(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  std::vector<dane::Tlsa> out;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text->size(); ++number) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const std::string whole = text->substr(at, end - at);
    const std::string line = whole.substr(0, whole.find('#'));
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto record = dane::Tlsa::parse_text(line);
    if (!record) {
      return base::fail("app.file", fmt::format("{}: line {}: {}", path, number + 1, record.error().detail));
    }
    record->well_formed = tls::well_formed(*record);
    out.push_back(std::move(*record));
  }
  return out;
}

int answer(const json::object& out, bool yes) {
  fmt::print("{}\n", json::serialize(out));
  return yes ? kYes : kNo;
}

int verify_tlsa(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto records = read_tlsa(request.tlsa);
  if (!records) return usage(records.error().detail);
  const tls::TlsaMatch match = tls::match_tlsa(chain, *records, request.names, at);
  json::object out;
  out["ok"] = match.ok;
  out["usable"] = !dane::usable(*records).empty();
  out["matched"] = match.matched ? json::value(match.matched->str()) : json::value(nullptr);
  out["reason"] = match.reason;
  json::array problems;
  for (const dane::Tlsa& r : *records) {
    if (const std::string why = dane::why_unusable(r); !why.empty()) problems.emplace_back(why);
  }
  out["problems"] = std::move(problems);
  return answer(out, match.ok);
}

int verify_webpki(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto roots = read_roots(request.roots);
  if (!roots) return usage(roots.error().detail);
  std::string why;
  for (const std::string& name : request.names) {
    why = tls::webpki_problem(chain, name, *roots, at);
    if (why.empty()) break;
  }
  json::object out;
  out["ok"] = why.empty();
  out["reason"] = why.empty() ? "a trusted CA vouches for the chain, and the leaf has the name" : why;
  return answer(out, why.empty());
}

int verify_pins(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto text = read_file(request.pins);
  if (!text) return usage(text.error().detail);
  const auto pin_list = pins::read_pins(*text);
  if (!pin_list) return usage(request.pins + ": " + pin_list.error().detail);
  const auto roots = read_roots(request.roots);
  if (!roots) return usage(roots.error().detail);
  const tls::PinMatch match = tls::match_pins(chain, *pin_list, request.names, &*roots, at);
  json::object out;
  out["ok"] = match.ok;
  out["matched"] = match.matched ? json::value(match.matched->str()) : json::value(nullptr);
  out["matched_as"] = !match.ok ? json::value(nullptr) : json::value(match.by_ca ? "ca" : "leaf");
  out["reason"] = match.reason;
  return answer(out, match.ok);
}

}  // namespace

int verify_chain(const VerifyRequest& request) {
  if ((request.pins.empty() ? 0 : 1) + (request.tlsa.empty() ? 0 : 1) + (request.webpki ? 1 : 0) != 1) {
    return usage("verify chain: one of --pins FILE, --tlsa FILE and --webpki is expected");
  }
  const auto chain = read_chain(request.chain);
  if (!chain) return usage(chain.error().detail);
  const auto at = read_time(request.time);
  if (!at) return usage(at.error().detail);
  if (request.webpki) return verify_webpki(request, *chain, *at);
  return request.tlsa.empty() ? verify_pins(request, *chain, *at) : verify_tlsa(request, *chain, *at);
}

int lint_tlsa(const std::string& file, bool as_json) {
  const auto text = read_file(file);
  if (!text) return usage(text.error().detail);
  auto record = dane::Tlsa::parse_text(*text);
  std::string problem = record ? std::string() : record.error().detail;
  if (record) {
    record->well_formed = tls::well_formed(*record);
    problem = dane::why_unusable(*record);
  }
  // Not known numbers are valid and unusable; data that cannot be what it is said to be is neither.
  const bool usable = record && problem.empty();
  if (as_json) {
    json::object out;
    out["valid"] = record.has_value();
    out["usable"] = usable;
    if (record) {
      out["usage"] = record->usage;
      out["selector"] = record->selector;
      out["matching_type"] = record->matching;
      out["data"] = record->str().substr(record->str().rfind(' ') + 1);
    }
    out["problems"] = problem.empty() ? json::array() : json::array{json::value(problem)};
    fmt::print("{}\n", json::serialize(out));
  } else {
    fmt::print("{}\n", usable   ? "valid, and usable for SMTP"
                       : record ? "valid, but UNUSABLE for SMTP"
                                : "INVALID");
    if (!problem.empty()) fmt::print("  problem: {}\n", problem);
  }
  return record ? kYes : kNo;
}

int match_name(std::vector<std::string> names, std::string host, bool as_json) {
  // "--san A B HOST": the option took them all.
  if (host.empty() && names.size() > 1) {
    host = names.back();
    names.pop_back();
  }
  if (host.empty() || names.empty()) return usage("match name: --san NAME... and a HOST are expected");
  const bool match = tls::name_matches(names, host);
  if (as_json) {
    json::object out;
    out["match"] = match;
    fmt::print("{}\n", json::serialize(out));
  } else {
    fmt::print("{}\n", match ? "matches" : "does not match");
  }
  return match ? kYes : kNo;
}

}  // namespace pinnace::app
