// `pinnace rule list|test|reload`: of the running relay, or of a configuration that it has not read yet.
#include <fmt/format.h>

#include "app/config.hpp"
#include "app/rule_report.hpp"
#include "app/service_answer.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

void show_rule(const json::value& rule) {
  const json::object& o = rule.as_object();
  const auto* binds = o.if_contains("binds");
  fmt::print("{:8}{} {}: {}\n",
             !binds             ? ""
             : binds->as_bool() ? "binds"
                                : "unused",
             tamed(rule, "for"), tamed(rule, "name"), tamed(rule, "demands"));
  const auto* ignoring = o.if_contains("ignoring");
  if (ignoring && !ignoring->as_bool())
    fmt::print("        its waiver is over: what it ignored binds again\n");
}

// A file's rules, or nothing and the reason.
base::Result<std::shared_ptr<const policy::RuleBook>> rules_of(const std::string& file) {
  auto config = load_sender_config(file, base::SystemClock().now());
  if (!config) return std::unexpected(config.error());
  return config->rules;
}

}  // namespace

int rule_list(const RuleRequest& request) {
  const auto show = [](const json::value& rules) {
    for (const auto& rule : rules.as_array()) show_rule(rule);
    if (rules.as_array().empty()) fmt::print("there are no rules\n");
  };
  if (request.config.empty()) return ask_and_show(request.service, {{"command", "rule.list"}}, show);
  const auto rules = rules_of(request.config);
  if (!rules) return show_answer(std::unexpected(rules.error()), request.service.json, show);
  return show_answer(json::value(to_json(**rules, base::SystemClock().now())), request.service.json, show);
}

int rule_test(const RuleRequest& request) {
  const auto show = [](const json::value& answer) {
    const auto& rules = answer.at("rules").as_array();
    for (const auto& rule : rules) show_rule(rule);
    if (rules.empty()) fmt::print("no rule is for {}\n", tamed(answer, "domain"));
    for (const auto& limit : answer.at("limits").as_array())
      fmt::print("limited by {}\n", printable(std::string(limit.as_string())));
  };
  if (request.config.empty()) {
    return ask_and_show(request.service,
                        {{"command", "rule.test"}, {"domain", request.domain}, {"host", request.host}}, show);
  }
  const auto rules = rules_of(request.config);
  if (!rules) return show_answer(std::unexpected(rules.error()), request.service.json, show);
  return show_answer(test_rules(**rules, request.domain, request.host, base::SystemClock().now()),
                     request.service.json, show);
}

int rule_reload(const Service& service) {
  return ask_and_show(service, {{"command", "rule.reload"}}, [](const json::value& answer) {
    fmt::print("{} rules are in force\n", str(answer, "rules"));
  });
}

}  // namespace pinnace::app
