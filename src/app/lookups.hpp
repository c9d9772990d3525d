// What commands need that look up by themselves, with a service's settings but no store of their own.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <string>

#include "app/config.hpp"
#include "discovery/gatherer.hpp"
#include "http/fetcher.hpp"

namespace pinnace::app {

struct Lookups {
  io::Loop& loop;
  const base::Clock& clock;
  const SenderConfig& config;
  tls::TrustStore roots;
  dns::Resolver& resolver;
  http::Fetcher& fetcher;
  discovery::StsPolicies& sts;
  discovery::Gatherer& gatherer;  // with the configuration's rules; nothing is noted
};

using Answer = base::Result<boost::json::value>;

// Runs `ask` on a loop of its own. `config_file`: a relay's, a policyd's or a gate's; empty: the system's
// resolver and roots, no rules.
Answer look_up(const std::string& config_file, std::function<io::Task<Answer>(Lookups&)> ask);

base::Result<tls::TrustStore> load_roots(const SenderConfig& config);
http::Settings https_settings(const SenderConfig& config);

}  // namespace pinnace::app
