#include "app/lookups.hpp"

#include <csignal>

namespace pinnace::app {
namespace {

// However the question ends. Where it needs no lookup, it has ended before the loop runs.
struct End {
  io::Loop& loop;
  ~End() {
    loop.post([&ended = loop] { ended.stop(); });
  }
};

io::Task<void> run(io::Loop& loop, std::function<io::Task<Answer>(Lookups&)> ask, Lookups& lookups,
                   Answer& out) {
  const End end{loop};
  out = co_await ask(lookups);
}

}  // namespace

base::Result<tls::TrustStore> load_roots(const SenderConfig& config) {
  if (config.roots.empty()) return tls::TrustStore::system();
  return tls::TrustStore::load(config.roots);
}

http::Settings https_settings(const SenderConfig& config) {
  http::Settings out;
  out.timeout = config.sts_timeout;
  out.allowed = config.sts_allowed;
  return out;
}

Answer look_up(const std::string& config_file, std::function<io::Task<Answer>(Lookups&)> ask) {
  // Writes to a peer that has gone are errors, not signals.
  std::signal(SIGPIPE, SIG_IGN);
  const base::SystemClock clock;
  SenderConfig config;
  if (!config_file.empty()) {
    auto loaded = load_sender_config(config_file, clock.now());
    if (!loaded) return std::unexpected(loaded.error());
    config = std::move(*loaded);
  }
  auto roots = load_roots(config);
  if (!roots) return std::unexpected(roots.error());
  io::Loop loop;
  auto resolver = dns::Resolver::create(loop, config.dns);
  if (!resolver) return std::unexpected(resolver.error());
  http::Fetcher fetcher(loop, *roots, https_settings(config));
  discovery::Routes routes(loop, **resolver);
  discovery::StsPolicies sts(loop, **resolver, nullptr, clock, fetcher);
  discovery::Gatherer gatherer(clock, routes, sts, nullptr, config.delivery.port);
  gatherer.set_rules(config.rules);
  gatherer.set_routes(config.routes);
  Lookups lookups{loop, clock, config, *roots, **resolver, fetcher, sts, gatherer};
  Answer out = base::fail("app.lookup", "the lookup came to no end");
  loop.spawn(run(loop, std::move(ask), lookups, out));
  loop.run();
  loop.drop_tasks();
  return out;
}

}  // namespace pinnace::app
