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
#include "policy/rule.hpp"
#include "queue/schedule.hpp"
#include "relay/relay.hpp"
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

struct RelayConfig {
  relay::Settings relay;
  relay::ListenerSettings listener;  // what holds for each unless it says otherwise
  delivery::Settings delivery;
  queue::ScheduleSettings queue;
  dns::Settings dns;
  store::Settings store;
  LogSettings log;
  ProcessSettings process;
  std::string data;
  std::string control;
  std::string certificate;  // empty: no STARTTLS on the listener
  std::string key;
  std::string users;  // file of those who may log in; empty: nobody
  std::string roots;  // empty: the system's
  std::shared_ptr<const policy::RuleBook> rules = std::make_shared<const policy::RuleBook>();  // never null
  std::vector<std::string> pin_files;                                                          // of the rules
  ClientCertificates client_certificates;
  discovery::FixedRoutes routes;
  base::Milliseconds sts_timeout = std::chrono::minutes(1);  // RFC 8461 3.3: for one policy
  std::vector<io::Network> sts_allowed;  // addresses that policy hosts may have although not public
};

struct GateConfig {
  gate::Settings gate;
  LogSettings log;
  ProcessSettings process;
  std::string certificate;
  std::string key;
  std::string backup_key;
  std::string control;  // empty: none
};

// `now`: a rule's waiver that is over by then is an error.
base::Result<RelayConfig> load_relay_config(const std::string& file, base::Time now);
base::Result<GateConfig> load_gate_config(const std::string& file);

}  // namespace pinnace::app
