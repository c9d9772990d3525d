// The rules of a running relay: read again from its configuration, and watched for waivers that end.
#pragma once

#include <set>
#include <string>

#include "discovery/gatherer.hpp"

namespace pinnace::app {

class RulesReload {
 public:
  RulesReload(std::string config_file, const base::Clock& clock, discovery::Gatherer& gatherer)
      : file_(std::move(config_file)), clock_(clock), gatherer_(gatherer) {}

  // All of the file must be good; else nothing changes, and the error says what is wrong. Its rules are in
  // force at once, what else it sets after the next start. Gives their number.
  base::Result<std::size_t> reload();

  // Warns, once for each, of waivers that are over.
  void warn_of_ended_waivers();

 private:
  std::string file_;
  const base::Clock& clock_;
  discovery::Gatherer& gatherer_;
  std::set<std::string> warned_;
};

// Once a minute, until the loop ends.
io::Task<void> watch_waivers(io::Loop& loop, RulesReload& rules);

}  // namespace pinnace::app
