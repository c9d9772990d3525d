#include "app/rules_reload.hpp"

#include "app/config.hpp"
#include "base/log.hpp"

namespace pinnace::app {

base::Result<std::size_t> RulesReload::reload() {
  auto config = load_relay_config(file_, clock_.now());
  if (!config) {
    base::log_error("rules_not_reloaded", {{"file", file_}, {"reason", config.error().detail}});
    return base::fail("app.rules",
                      "nothing is changed; the rules in force stay in force:\n" + config.error().detail);
  }
  const std::size_t count = config->rules->rules().size();
  gatherer_.set_rules(config->rules);
  warned_.clear();
  base::log_info("rules_reloaded", {{"file", file_}, {"rules", std::to_string(count)}});
  return count;
}

void RulesReload::warn_of_ended_waivers() {
  const base::Time now = clock_.now();
  for (const auto& rule : gatherer_.rules()->rules()) {
    if (rule->waiver.sources.empty() || rule->waiver.in_force(now)) continue;
    if (!warned_.insert(rule->str()).second) continue;
    base::log_warning("rule_waiver_over", {{"rule", rule->str()},
                                           {"until", base::format_time(rule->waiver.until)},
                                           {"reason", rule->waiver.reason},
                                           {"what",
                                            "what it ignored binds again; the next start or reload "
                                            "refuses the rule as it stands"}});
  }
}

io::Task<void> watch_waivers(io::Loop& loop, RulesReload& rules) {
  io::Timer timer(loop);
  bool on = true;
  while (on) {
    rules.warn_of_ended_waivers();
    on = co_await timer.wait(std::chrono::minutes(1));
  }
}

}  // namespace pinnace::app
