#include <fmt/format.h>

#include <csignal>
#include <filesystem>

#include "api/control.hpp"
#include "app/lookups.hpp"
#include "app/process_check.hpp"
#include "app/relay_commands.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"
#include "delivery/deliverer.hpp"
#include "store/format.hpp"

namespace pinnace::app {
namespace {

base::Result<> run(const RelayConfig& config, const std::string& config_file) {
  auto roots = load_roots(config);
  if (!roots) return std::unexpected(roots.error());
  auto certificate = load_certificate(config);
  if (!certificate) return std::unexpected(certificate.error());

  // Objects end in the order opposite to this; tasks that use them are dropped before (run_until_stopped).
  io::Loop loop;
  if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
  const base::SystemClock clock;
  auto resolver = dns::Resolver::create(loop, config.dns);
  if (!resolver) return std::unexpected(resolver.error());
  auto db = store::Database::open(loop, config.data, config.store);
  if (!db) return std::unexpected(db.error());
  discovery::Routes routes(loop, **resolver);
  discovery::PinStore pins(**db);
  http::Fetcher fetcher(loop, *roots, https_settings(config));
  discovery::StsPolicies sts(loop, **resolver, db->get(), clock, fetcher);
  if (auto loaded = sts.load(); !loaded) return std::unexpected(loaded.error());
  discovery::Gatherer gatherer(clock, routes, sts, &pins, config.delivery.port);
  gatherer.set_rules(config.rules);
  gatherer.set_routes(config.routes);
  std::unique_ptr<delivery::Deliverer> deliverer;
  auto queue =
      queue::Queue::open(loop, **db, clock, config.queue, [&deliverer](const std::string& destination) {
        if (deliverer) deliverer->wake(destination);
      });
  if (!queue) return std::unexpected(queue.error());
  delivery::Tools tools{loop, clock, config.delivery, tls::ClientContext(), *roots};
  tools.client_certificates =
      std::make_shared<delivery::ClientCertificates>(by_fingerprint(config.client_certificates));
  tools.resumable = std::make_shared<tls::SessionCache>(config.delivery.resumption_lifetime);
  deliverer = std::make_unique<delivery::Deliverer>(tools, **queue, gatherer, pins);
  std::optional<auth::Logins> logins;
  if (!config.users.empty()) {
    logins.emplace(loop, clock, config.users);
    if (auto loaded = logins->load(); !loaded) return std::unexpected(loaded.error());
  }
  relay::Relay relay(loop, clock, **queue, config.relay, *certificate, logins ? &*logins : nullptr);
  RulesReload rules(loop, config_file, clock, gatherer, tools.client_certificates,
                    [&] { return read_relay_again(config_file, clock.now(), relay); });
  PolicyCommands policies({loop,
                           clock,
                           pins,
                           gatherer,
                           sts,
                           rules,
                           config.delivery.port,
                           nullptr,
                           {},
                           [&deliverer](const std::string&) { deliverer->release_all(); }});
  RelayCommands commands(**queue, *deliverer, policies, clock);
  api::ControlServer control(
      loop, [&commands](boost::json::object request) { return commands.run(std::move(request)); });

  auto finish = [&loop](base::Result<> result) {
    loop.drop_tasks();
    return result;
  };
  if (auto started = control.start(config.control); !started) return finish(started);
  if (auto started = relay.start(); !started) return finish(started);
  loop.spawn(rules.watch_waivers());
  loop.spawn(relay.renew_ticket_keys());
  sts.start_refreshing();
  base::log_info("ready", {{"service", "relay"},
                           {"hostname", config.relay.hostname},
                           {"queued", std::to_string((*queue)->stats().messages)}});
  for (const std::string& one : (*queue)->due_destinations()) deliverer->wake(one);
  Running running;
  running.stop = [&] {
    relay.stop();
    control.stop();
    deliverer->stop();
  };
  running.stopped = [&] { return relay.sessions() == 0 && deliverer->stopped(); };
  running.reload = [&] {
    (void)rules.reload();
    if (logins) loop.spawn(logins->reload());
  };
  running.status = [&] {
    return fmt::format("{} messages queued, {} sessions", (*queue)->stats().messages, relay.sessions());
  };
  run_until_stopped(loop, running);
  return {};
}

}  // namespace

int run_relay(const std::string& config_file) {
  auto config = load_relay_config(config_file, base::SystemClock().now());
  if (!config) return refuse_to_start(config.error());
  set_up_log(config->log);
  const auto done = run(*config, config_file);
  return done ? 0 : refuse_to_start(done.error());
}

int check_relay(const std::string& config_file) {
  std::vector<base::Error> faults;
  const auto config = load_relay_config(config_file, base::SystemClock().now());
  if (!config) return report_check(config_file, {config.error()});
  if (const auto roots = load_roots(*config); !roots) faults.push_back(roots.error());
  if (const auto certificate = load_certificate(*config); !certificate) faults.push_back(certificate.error());
  std::vector<std::string> read = {config_file};
  // Those that are read again later, or only by the user that it becomes.
  for (const std::string& file : {config->dns.trust_anchor_file, config->users}) {
    if (!file.empty()) read.push_back(file);
  }
  check_process(needs_of(*config, config_file), read, faults);
  if (faults.empty()) {
    if (const auto format = store::check_format(config->data); !format) faults.push_back(format.error());
  }
  return report_check(config_file, faults);
}

}  // namespace pinnace::app
