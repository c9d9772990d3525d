// The rules of a running service, its routes, and the certificates that go with them: read again from its
// configuration. Rules are watched for waivers that end.
#pragma once

#include <functional>
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

// All of a relay's configuration, and of the certificates that it names, must be good; else nothing changes.
// The listener's certificate is in force at once.
base::Result<SenderConfig> read_relay_again(const std::string& file, base::Time now, relay::Relay& relay);

class RulesReload {
 public:
  using Read = std::function<base::Result<SenderConfig>()>;
  // `file`: for people. `certificates`: the client certificates that deliveries use. `changed` may be null:
  // what binds is another from now on.
  RulesReload(io::Loop& loop, std::string file, const base::Clock& clock, discovery::Gatherer& gatherer,
              std::shared_ptr<delivery::ClientCertificates> certificates, Read read,
              std::function<void()> changed = nullptr)
      : file_(std::move(file)),
        clock_(clock),
        gatherer_(gatherer),
        certificates_(std::move(certificates)),
        read_(std::move(read)),
        changed_(std::move(changed)),
        timer_(loop) {}

  // Where something is wrong nothing changes, and the error says what. The rules, routes and certificates
  // that were read are in force at once, what else the file sets after the next start. Gives the number of
  // the rules.
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
  Read read_;
  std::function<void()> changed_;
  io::Timer timer_;
  std::set<std::string> warned_;
};

}  // namespace pinnace::app
