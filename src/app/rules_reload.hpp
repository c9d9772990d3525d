// The rules of a running relay: read again from its configuration, and watched for waivers that end.
#pragma once

#include <set>
#include <string>

#include "discovery/gatherer.hpp"

namespace pinnace::app {

class RulesReload {
 public:
  RulesReload(io::Loop& loop, std::string config_file, const base::Clock& clock,
              discovery::Gatherer& gatherer)
      : file_(std::move(config_file)), clock_(clock), gatherer_(gatherer), timer_(loop) {}

  // All of the file must be good; else nothing changes, and the error says what is wrong. Its rules are in
  // force at once, what else it sets after the next start. Gives their number.
  base::Result<std::size_t> reload();

  // Warns, once for each, of waivers as they end. A task that ends with the loop.
  io::Task<void> watch_waivers();

 private:
  // Of those that are over. Gives the time until the next one is, a minute at most.
  base::Milliseconds warn();

  std::string file_;
  const base::Clock& clock_;
  discovery::Gatherer& gatherer_;
  io::Timer timer_;
  std::set<std::string> warned_;
};

}  // namespace pinnace::app
