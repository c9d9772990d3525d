// `pinnace policyd ask|stats|warm`: of the running policyd.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "api/control.hpp"
#include "app/offline_input.hpp"
#include "app/policyd_commands.hpp"
#include "app/service_answer.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kMostShown = 20;  // domains that could not be looked up

std::vector<std::string> domains_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    out.emplace_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
  return out;
}

void show_fields(const json::object& fields, const std::string& before) {
  for (const auto& [name, value] : fields) {
    if (const auto* below = value.if_object()) {
      show_fields(*below, before + std::string(name) + ".");
    } else {
      fmt::print("{:28}{}\n", before + std::string(name),
                 value.is_null() ? "off" : printable(json::serialize(value)));
    }
  }
}

}  // namespace

int policyd_ask(const Service& service, const std::string& domain) {
  const std::string name = domain.substr(0, domain.find_last_not_of(' ') + 1);
  return ask_and_show(service, {{"command", "policyd.ask"}, {"domain", name}}, [](const json::value& answer) {
    fmt::print("{}\n", tamed(answer, "domain"));
    for (const auto& map : answer.at("maps").as_array()) {
      fmt::print("  {} is told: {}\n", tamed(map, "map"), tamed(map, "told"));
      fmt::print("    for: {}\n", tamed(map, "reason"));
      for (const auto& note : map.at("notes").as_array())
        fmt::print("    note: {}\n", printable(std::string(note.as_string())));
    }
    fmt::print("  looked up {}, again at {}, told until {}\n", str(answer, "made"), str(answer, "refresh"),
               str(answer, "usable"));
  });
}

int policyd_stats(const Service& service) {
  return ask_and_show(service, {{"command", "policyd.stats"}},
                      [](const json::value& answer) { show_fields(answer.as_object(), ""); });
}

int policyd_warm(const Service& service, const std::string& file) {
  const auto text = read_file(file);
  if (!text) return usage(text.error().detail);
  const std::vector<std::string> domains = domains_of(*text);
  if (domains.empty()) return usage(file + ": there is no domain in it");
  const bool shown = isatty(STDERR_FILENO) == 1;
  std::int64_t policies = 0, none = 0, failed = 0;
  json::array problems;
  for (std::size_t at = 0; at < domains.size(); at += kMostWarmed) {
    json::array some;
    for (std::size_t i = at; i < std::min(domains.size(), at + kMostWarmed); ++i)
      some.emplace_back(domains[i]);
    const auto answer =
        api::ask(service.control, {{"command", "policyd.warm"}, {"domains", std::move(some)}});
    if (!answer) return show_answer(answer, service.json, {});
    policies += answer->at("policies").to_number<std::int64_t>();
    none += answer->at("none").to_number<std::int64_t>();
    failed += answer->at("failed").to_number<std::int64_t>();
    for (const auto& problem : answer->at("problems").as_array()) {
      if (problems.size() < kMostShown) problems.push_back(problem);
    }
    if (shown)
      fmt::print(stderr, "\r\x1b[Klooked up {} of {} …", std::min(domains.size(), at + kMostWarmed),
                 domains.size());
  }
  if (shown) std::fputs("\r\x1b[K", stderr);
  const json::object out{{"domains", domains.size()},
                         {"policies", policies},
                         {"none", none},
                         {"failed", failed},
                         {"problems", problems}};
  if (service.json) {
    print_json(out);
    return failed == 0 ? 0 : 1;
  }
  fmt::print("{} domains: {} with a policy, {} without, {} could not be looked up\n", domains.size(),
             policies, none, failed);
  for (const auto& problem : problems) fmt::print("  {}\n", printable(std::string(problem.as_string())));
  return failed == 0 ? 0 : 1;
}

}  // namespace pinnace::app
