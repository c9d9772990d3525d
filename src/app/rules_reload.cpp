#include "app/rules_reload.hpp"

#include <algorithm>

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
  timer_.cancel();
  base::log_info("rules_reloaded", {{"file", file_}, {"rules", std::to_string(count)}});
  return count;
}

base::Milliseconds RulesReload::warn() {
  const base::Time now = clock_.now();
  base::Milliseconds next = std::chrono::minutes(1);
  for (const auto& rule : gatherer_.rules()->rules()) {
    const policy::Waiver& waiver = rule->waiver;
    if (waiver.in_force(now)) next = std::min(next, waiver.until - now);
    if (waiver.sources.empty() || waiver.in_force(now) || !warned_.insert(rule->str()).second) continue;
    base::log_warning("rule_waiver_over", {{"rule", rule->str()},
                                           {"until", base::format_time(waiver.until)},
                                           {"reason", waiver.reason},
                                           {"what",
                                            "what it ignored binds again; the next start or reload "
                                            "refuses the rule as it stands"}});
  }
  return next;
}

io::Task<void> RulesReload::watch_waivers() {
  for (;;) {
    const base::Milliseconds next = warn();
    const bool elapsed = co_await timer_.wait(next);
    (void)elapsed;  // else the rules are others
  }
}

}  // namespace pinnace::app
