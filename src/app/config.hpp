// A service's configuration: read from TOML, whole and checked, before anything starts.
// Every setting and its default is described in docs/configuration.md.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/rules_config.hpp"
#include "base/log.hpp"
#include "delivery/settings.hpp"
#include "discovery/next_hops.hpp"
#include "dns/resolver.hpp"
#include "gate/gate.hpp"
#include "http/server.hpp"
#include "policy/rule.hpp"
#include "policyd/engine.hpp"
#include "policyd/prober.hpp"
#include "policyd/server.hpp"
#include "publish/settings.hpp"
#include "queue/schedule.hpp"
#include "relay/relay.hpp"
#include "reporting/inbound.hpp"
#include "store/database.hpp"

namespace pinnace::app {

struct LogSettings {
  base::Level level = base::Level::info;
  base::LogFormat format = base::LogFormat::logfmt;
  std::string file;  // empty: standard error
};

struct ProcessSettings {
  std::string user;     // empty: whoever starts it
  bool sandbox = true;  // as far as the kernel has one
};

// Of whoever looks up policies and is held to them: a relay, and a policyd.
struct SenderConfig {
  delivery::Settings delivery;
  dns::Settings dns;
  store::Settings store;
  LogSettings log;
  ProcessSettings process;
  std::string data;
  std::string control;
  std::string roots;  // empty: the system's
  std::shared_ptr<const policy::RuleBook> rules = std::make_shared<const policy::RuleBook>();  // never null
  std::vector<std::string> pin_files;                                                          // of the rules
  ClientCertificates client_certificates;
  discovery::FixedRoutes routes;
  base::Milliseconds sts_timeout = std::chrono::minutes(1);  // RFC 8461 3.3: for one policy
  std::vector<io::Network> sts_allowed;  // addresses that policy hosts may have although not public
};

struct RelayConfig : SenderConfig {
  relay::Settings relay;
  relay::ListenerSettings listener;  // what holds for each unless it says otherwise
  queue::ScheduleSettings queue;
  std::string certificate;  // empty: no STARTTLS on the listener
  std::string key;
  std::string users;  // file of those who may log in; empty: nobody
};

// Whether Postfix is given what it reports of TLS (its release 3.10 or later).
enum class TlsReports : std::uint8_t { automatic, on, off };

struct PolicydConfig : SenderConfig {
  policyd::ServerSettings server;
  policyd::EngineSettings engine;  // its maps are the server's
  policyd::ProberSettings prober;
  bool probe = true;
  TlsReports tlsrpt = TlsReports::automatic;
  std::size_t memory = 0;  // octets of answers that are ready
  std::string anchors;     // folder
};

// The files of one name that a gate has.
struct GateHost {
  std::string hostname;
  std::vector<std::string> certificates;  // each with a key of another algorithm
  std::vector<std::string> keys;          // theirs, in this order
  std::vector<std::string> backup_keys;
};

struct CertificateFiles {
  std::string certificate, key;
};

struct GateHttpsConfig {
  http::ServerSettings server;  // listens nowhere: there is none
  std::vector<CertificateFiles> certificates;
  std::string reports;  // path where TLS reports are taken; empty: none
};

struct GateConfig {
  gate::Settings gate;
  LogSettings log;
  ProcessSettings process;
  std::vector<GateHost> hosts;  // the first is [gate]'s own
  std::string control;          // empty: none
  std::vector<publish::Domain> domains;
  SenderConfig lookups;  // how `pinnace publish check` looks up
  std::string data;      // folder of the ledger and of reports; empty: neither is kept
  store::Settings store;
  pins::Schedule schedule;  // of what is promised, where a ledger is kept
  GateHttpsConfig https;
  reporting::InboundSettings reports;
};

// `now`: a rule's waiver that is over by then is an error.
base::Result<RelayConfig> load_relay_config(const std::string& file, base::Time now);
base::Result<GateConfig> load_gate_config(const std::string& file);
// An empty `file`: what holds without one.
base::Result<PolicydConfig> load_policyd_config(const std::string& file, base::Time now);

// The part of a relay's or a policyd's, whichever it is; of a gate's the resolver and the trust anchors.
base::Result<SenderConfig> load_sender_config(const std::string& file, base::Time now);

}  // namespace pinnace::app
