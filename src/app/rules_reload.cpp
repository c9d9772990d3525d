#include "app/rules_reload.hpp"

#include <algorithm>

#include "app/config.hpp"
#include "base/log.hpp"

namespace pinnace::app {

base::Result<std::optional<tls::ServerContext>> load_certificate(const RelayConfig& config) {
  if (config.certificate.empty()) return std::optional<tls::ServerContext>();
  auto context = tls::ServerContext::load(config.certificate, config.key);
  if (!context) return std::unexpected(context.error());
  return std::optional<tls::ServerContext>(std::move(*context));
}

delivery::ClientCertificates by_fingerprint(const ClientCertificates& by_name) {
  delivery::ClientCertificates out;
  for (const auto& [name, one] : by_name) out.emplace(one.loaded.fingerprint(), one.loaded);
  return out;
}

base::Result<SenderConfig> read_relay_again(const std::string& file, base::Time now, relay::Relay& relay) {
  auto config = load_relay_config(file, now);
  if (!config) return std::unexpected(config.error());
  auto certificate = load_certificate(*config);
  // A key that only root may read was read at the start, and is not lost by a change of rules.
  if (!certificate && certificate.error().code == "tls.permission") {
    base::log_warning("certificate_not_reloaded",
                      {{"file", config->certificate}, {"reason", certificate.error().detail}});
    certificate = std::optional<tls::ServerContext>();
  }
  if (!certificate) return std::unexpected(certificate.error());
  if (*certificate) {
    const tls::PeerChain& chain = (*certificate)->chain();
    base::log_info("certificate_loaded", {{"file", config->certificate},
                                          {"subject", chain.subject()},
                                          {"until", base::format_time(chain.not_after())}});
    relay.set_certificate(std::move(**certificate));
  }
  return SenderConfig(std::move(*config));
}

base::Result<std::size_t> RulesReload::reload() {
  auto config = read_();
  if (!config) {
    const std::string& why = config.error().detail;
    base::log_error("rules_not_reloaded", {{"file", file_}, {"reason", why}});
    return base::fail(
        "app.rules",
        "nothing is changed; the rules, routes and certificates in force stay in force:\n" + why);
  }
  *certificates_ = by_fingerprint(config->client_certificates);
  const std::size_t count = config->rules->rules().size();
  gatherer_.set_rules(config->rules);
  const std::size_t routes = config->routes.all().size();
  gatherer_.set_routes(std::move(config->routes));
  if (changed_) changed_();
  warned_.clear();
  timer_.cancel();
  base::log_info("rules_reloaded",
                 {{"file", file_}, {"rules", std::to_string(count)}, {"routes", std::to_string(routes)}});
  return count;
}

base::Milliseconds RulesReload::warn() {
  const base::Time now = clock_.now();
  base::Milliseconds next = std::chrono::minutes(1);
  bool over = false;
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
    over = true;
  }
  if (over && changed_) changed_();
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
