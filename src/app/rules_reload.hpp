// The rules of a running relay, its routes, and the certificates that go with them: read again from its
// configuration.
// Rules are watched for waivers that end.
#pragma once

#include <set>
#include <string>

#include "app/config.hpp"
#include "delivery/session.hpp"
#include "discovery/gatherer.hpp"
#include "relay/relay.hpp"

namespace pinnace::app {

// The certificate of the relay's listener; nothing where none is configured.
base::Result<std::optional<tls::ServerContext>> load_certificate(const RelayConfig& config);
// Those that the rules name, as deliveries look for them.
delivery::ClientCertificates by_fingerprint(const ClientCertificates& by_name);

class RulesReload {
 public:
  // `certificates`: the client certificates that deliveries use.
  RulesReload(io::Loop& loop, std::string config_file, const base::Clock& clock,
              discovery::Gatherer& gatherer, std::shared_ptr<delivery::ClientCertificates> certificates,
              relay::Relay& relay)
      : file_(std::move(config_file)),
        clock_(clock),
        gatherer_(gatherer),
        certificates_(std::move(certificates)),
        relay_(relay),
        timer_(loop) {}

  // All of the file, and of the certificates that it names, must be good; else nothing changes, and the error
  // says what is wrong. Its rules, routes and certificates are in force at once, what else it sets after the
  // next start. Gives the number of the rules.
  base::Result<std::size_t> reload();

  // Warns, once for each, of waivers as they end. A task that ends with the loop.
  io::Task<void> watch_waivers();

 private:
  // Of those that are over. Gives the time until the next one is, a minute at most.
  base::Milliseconds warn();

  std::string file_;
  const base::Clock& clock_;
  discovery::Gatherer& gatherer_;
  std::shared_ptr<delivery::ClientCertificates> certificates_;
  relay::Relay& relay_;
  io::Timer timer_;
  std::set<std::string> warned_;
};

}  // namespace pinnace::app
