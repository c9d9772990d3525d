// `pinnace report inbound`: what others report of their mail to us, for a person.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/service_answer.hpp"
#include "base/clock.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kWidth = 78;
constexpr std::size_t kLabel = 12;     // what stands before a text, with its blanks
constexpr std::size_t kMostNames = 6;  // of senders and hosts, in a line
constexpr std::size_t kMostLines = 20;

std::uint64_t number(const json::value& object, std::string_view key) {
  return object.at(key).to_number<std::uint64_t>();
}

// "12 sessions", "1 session"
std::string count(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

// Words on lines, all but the first below the first one's text.
void print_text(std::string_view label, std::string_view text) {
  std::string line = fmt::format("  {:<{}}", label, kLabel - 2);
  bool empty = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (!empty && line.size() + 1 + end > kWidth) {
      fmt::print("{}\n", line);
      line.assign(kLabel, ' ');
      empty = true;
    }
    (line += empty ? "" : " ") += text.substr(0, end);
    empty = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print("{}\n", line);
}

// "a 12, b 3 and 5 others"
std::string names(const json::value& object, std::string_view key, bool with_sessions) {
  const json::array& all = object.at(key).as_array();
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kMostNames); ++i) {
    if (i > 0) out += ", ";
    out += tamed(all[i], "name");
    if (with_sessions) out += fmt::format(" ({})", number(all[i], "sessions"));
  }
  if (all.size() > kMostNames) out += fmt::format(" and {} more", all.size() - kMostNames);
  return out;
}

std::string day(const json::value& object, std::string_view key) { return str(object, key).substr(0, 10); }

// "Thursday, 26 November, 08:00 UTC"
std::string weekday(std::string_view time) {
  const auto at = base::parse_time(time);
  if (!at) return std::string(time);
  return fmt::format("{:%A, %d %B, %H:%M} UTC", std::chrono::time_point_cast<std::chrono::seconds>(*at));
}

void print_pins(const json::value& answer, const json::value& problem) {
  const json::value& pins = answer.at("pins");
  const std::uint64_t senders = number(problem, "organization_count");
  const std::string who =
      senders == 1 ? "1 sender still holds" : fmt::format("{} senders still hold", senders);
  if (pins.at("old_pin_until").is_string()) {
    print_text("pins",
               fmt::format("{} the old pin until {} at the latest. Their mail waits in their queues, and "
                           "arrives then by itself.",
                           who, weekday(str(pins, "old_pin_until"))));
  } else if (pins.at("ledger").as_bool()) {
    print_text(
        "pins",
        "The keys that are served now keep every promise that is out. A failure from now on means that the "
        "sender met another host than this one.");
  } else {
    print_text("pins",
               "No ledger of promises is kept here, so it is not known until when: max_age of the last "
               "advert of the "
               "old key, from when it was last said.");
  }
}

void print_problem(const json::value& answer, const json::value& problem) {
  const std::string kind = tamed(problem, "kind");
  fmt::print("\n{} failed: {}\n", count(number(problem, "sessions"), "session"), kind);
  print_text("what", tamed(problem, "what"));
  print_text("from", names(problem, "organizations", true));
  if (!problem.at("hosts").as_array().empty()) print_text("to", names(problem, "hosts", true));
  if (!problem.at("reasons").as_array().empty()) print_text("said", names(problem, "reasons", false));
  print_text("when", fmt::format("{} to {}", day(problem, "first"), day(problem, "last")));
  if (kind == "pkp-mismatch") print_pins(answer, problem);
  print_text("likely", tamed(problem, "likely"));
  print_text("to do", tamed(problem, "remedy"));
}

void print_organizations(const json::value& answer) {
  std::vector<const json::value*> lines;
  for (const json::value& one : answer.at("organizations").as_array()) lines.push_back(&one);
  const auto sessions = [](const json::value* v) { return number(*v, "succeeded") + number(*v, "failed"); };
  std::sort(lines.begin(), lines.end(), [&](const json::value* a, const json::value* b) {
    const std::uint64_t x = number(*a, "failed"), y = number(*b, "failed");
    return x != y ? x > y : sessions(a) > sessions(b);
  });
  fmt::print("\n{:>10} {:>8}  reported by\n", "reached us", "failed");
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
    fmt::print("{:>10} {:>8}  {}\n", number(*lines[i], "succeeded"), number(*lines[i], "failed"),
               tamed(*lines[i], "name"));
  }
  if (lines.size() > kMostLines)
    fmt::print("{:>19}  and {} more; --json has them\n", "", lines.size() - kMostLines);
}

void print_answer(const json::value& answer) {
  const std::uint64_t reports = number(answer, "reports");
  if (reports == 0) {
    fmt::print("no report came of a day since {}\n", day(answer, "since"));
    return;
  }
  const std::uint64_t good = number(answer, "succeeded"), bad = number(answer, "failed");
  fmt::print("{} from {} since {}, about", count(reports, "report"),
             count(answer.at("organizations").as_array().size(), "organisation"), day(answer, "since"));
  for (const json::value& domain : answer.at("domains").as_array()) fmt::print(" {}", tamed(domain, "name"));
  fmt::print("\n{} reached us over TLS, {} failed", count(good, "session"), bad);
  if (bad > 0) fmt::print(" ({:.2f}%)", 100.0 * static_cast<double>(bad) / static_cast<double>(good + bad));
  fmt::print("\n");

  std::vector<const json::value*> problems;
  for (const json::value& one : answer.at("problems").as_array()) problems.push_back(&one);
  std::sort(problems.begin(), problems.end(), [](const json::value* a, const json::value* b) {
    return number(*a, "sessions") > number(*b, "sessions");
  });
  for (std::size_t i = 0; i < std::min(problems.size(), kMostLines); ++i) print_problem(answer, *problems[i]);
  if (problems.size() > kMostLines)
    fmt::print("\nand {} more kinds of failure; --json has them\n", problems.size() - kMostLines);
  print_organizations(answer);
}

// A date, or for how long back.
base::Result<base::Time> since(const std::string& text) {
  if (const auto back = base::parse_duration(text); back && text.find_first_of("dhms") != std::string::npos)
    return base::SystemClock().now() - *back;
  auto at = base::parse_time(text.size() == 10 ? text + "T00:00:00Z" : text);
  if (!at) return base::fail("base.time", fmt::format("--since {}: write a date, 2026-11-20, or 30d", text));
  return at;
}

}  // namespace

int report_inbound(const ReportRequest& request) {
  const auto from = since(request.since);
  if (!from) {
    std::fprintf(stderr, "pinnace: %s\n", from.error().detail.c_str());
    return 2;
  }
  return ask_and_show(
      request.service,
      {{"command", "report.inbound"}, {"since", base::format_time(*from)}, {"domain", request.domain}},
      print_answer);
}

}  // namespace pinnace::app
