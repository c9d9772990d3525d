#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "api/control.hpp"
#include "app/lookups.hpp"
#include "app/policyd_commands.hpp"
#include "app/postfix_version.hpp"
#include "app/process_check.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"
#include "store/format.hpp"

namespace pinnace::app {
namespace {

constexpr const char* kConfigFile = "/etc/pinnace/policyd.toml";

std::string chosen(const std::string& config_file) {
  std::error_code error;
  const bool there = std::filesystem::exists(kConfigFile, error) || error;
  return config_file.empty() && there ? kConfigFile : config_file;
}

std::string shown(const std::string& config_file) {
  return config_file.empty() ? "without a configuration" : config_file;
}

// Folders above the files for tafile= can be passed by Postfix's user; the store is its own alone.
std::string store_of(const PolicydConfig& config) { return config.data + "/store"; }

// All that answers are made under besides what is looked up.
std::string conditions(const PolicydConfig& config, const policy::RuleBook& rules, base::Time now) {
  std::string out = fmt::format("2 port {}\n", config.delivery.port);
  for (const policyd::Map& map : config.engine.maps) {
    out += fmt::format("map {} report_only {} tlsrpt {} anchors {}\n", map.name, map.options.report_only,
                       map.options.tlsrpt, map.options.anchors_folder);
  }
  for (const auto& rule : rules.rules()) {
    out += fmt::format("{}: {}", rule->str(), rule->demands());
    for (const auto& pin : rule->pins) out += " " + pin.str();
    if (!rule->waiver.sources.empty()) out += rule->waiver.in_force(now) ? " waives" : " waived";
    out += "\n";
  }
  return out;
}

void set_tlsrpt(PolicydConfig& config) {
  bool on = config.tlsrpt == TlsReports::on;
  if (config.tlsrpt == TlsReports::automatic) {
    const std::string version = postfix_version();
    on = takes_tls_reports(version);
    base::log_info("postfix",
                   {{"version", version.empty() ? "not found" : version}, {"tlsrpt", on ? "on" : "off"}});
  }
  for (policyd::Map& map : config.engine.maps) map.options.tlsrpt = on;
}

base::Result<> run(PolicydConfig config, const std::string& config_file) {
  auto roots = load_roots(config);
  if (!roots) return std::unexpected(roots.error());
  set_tlsrpt(config);

  // Objects end in the order opposite to this; tasks that use them are dropped before (run_until_stopped).
  io::Loop loop;
  if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
  ::chmod(config.data.c_str(), 0711);
  const base::SystemClock clock;
  auto resolver = dns::Resolver::create(loop, config.dns);
  if (!resolver) return std::unexpected(resolver.error());
  auto db = store::Database::open(loop, store_of(config), config.store);
  if (!db) return std::unexpected(db.error());
  discovery::Routes routes(loop, **resolver);
  discovery::PinStore pins(**db);
  http::Fetcher fetcher(loop, *roots, https_settings(config));
  discovery::StsPolicies sts(loop, **resolver, db->get(), clock, fetcher);
  if (auto loaded = sts.load(); !loaded) return std::unexpected(loaded.error());
  discovery::Gatherer gatherer(clock, routes, sts, &pins, config.delivery.port);
  gatherer.set_rules(config.rules);
  delivery::Tools tools{loop, clock, config.delivery, tls::ClientContext(), *roots};
  tools.client_certificates =
      std::make_shared<delivery::ClientCertificates>(by_fingerprint(config.client_certificates));
  policyd::Answers answers(config.memory);
  policyd::Engine engine(
      {loop, clock, gatherer, config.delivery.port, **db, answers, config.anchors, nullptr}, config.engine);
  std::optional<policyd::Prober> prober;
  if (config.probe) {
    prober.emplace(tools, pins, config.prober,
                   [&engine](const std::string& host) { engine.host_changed(host); });
    engine.set_prober(&*prober);
  }
  const auto known = engine.load(conditions(config, *config.rules, clock.now()));
  if (!known) return std::unexpected(known.error());
  // Asked on the server's thread.
  policyd::Server server(config.server, clock, answers,
                         [&](policyd::Profile profile, std::string domain, policyd::Server::Tell tell) {
                           loop.post([&engine, profile, domain = std::move(domain), tell = std::move(tell)] {
                             engine.find(profile, domain, tell);
                           });
                         });
  RulesReload rules(
      loop, shown(config_file), clock, gatherer, tools.client_certificates,
      [&]() -> base::Result<SenderConfig> {
        auto again = load_policyd_config(config_file, clock.now());
        if (!again) return std::unexpected(again.error());
        return SenderConfig(std::move(*again));
      },
      [&] { engine.all_changed(conditions(config, *gatherer.rules(), clock.now())); });
  policyd::Prober* const probes = prober ? &*prober : nullptr;
  PolicyCommands policies({loop, clock, pins, gatherer, sts, rules, config.delivery.port, probes,
                           config.engine.maps.front().options, [&engine](const std::string& name) {
                             engine.host_changed(name);
                             engine.domain_changed(name);
                           }});
  PolicydCommands commands({loop, engine, answers, probes, server, policies});
  api::ControlServer control(
      loop, [&commands](boost::json::object request) { return commands.run(std::move(request)); });

  auto finish = [&loop](base::Result<> result) {
    loop.drop_tasks();
    return result;
  };
  if (auto started = control.start(config.control); !started) return finish(started);
  if (auto started = server.start(); !started) return finish(started);
  loop.spawn(rules.watch_waivers());
  sts.start_refreshing();
  engine.start();
  base::log_info("ready",
                 {{"service", "policyd"}, {"config", shown(config_file)}, {"known", std::to_string(*known)}});
  Running running;
  running.stop = [&] {
    server.stop();
    control.stop();
    engine.stop();
  };
  running.stopped = [&] { return engine.stopped(); };
  running.reload = [&] { (void)rules.reload(); };
  running.status = [&] {
    return fmt::format("{} domains, {} requests", answers.size(), server.stats().requests);
  };
  run_until_stopped(loop, running);
  return {};
}

}  // namespace

int run_policyd(const std::string& config_file) {
  const std::string file = chosen(config_file);
  auto config = load_policyd_config(file, base::SystemClock().now());
  if (!config) return refuse_to_start(config.error());
  set_up_log(config->log);
  const auto done = run(std::move(*config), file);
  return done ? 0 : refuse_to_start(done.error());
}

int check_policyd(const std::string& config_file) {
  const std::string file = chosen(config_file);
  std::vector<base::Error> faults;
  const auto config = load_policyd_config(file, base::SystemClock().now());
  if (!config) return report_check(shown(file), {config.error()});
  if (const auto roots = load_roots(*config); !roots) faults.push_back(roots.error());
  std::vector<std::string> read;
  for (const std::string& one : {file, config->dns.trust_anchor_file}) {
    if (!one.empty()) read.push_back(one);
  }
  check_process(needs_of(*config, file), read, faults);
  if (faults.empty()) {
    if (const auto format = store::check_format(store_of(*config)); !format) faults.push_back(format.error());
  }
  return report_check(shown(file), faults);
}

}  // namespace pinnace::app
