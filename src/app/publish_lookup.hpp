// What the DNS and the policy hosts serve of what is to be published.
#pragma once

#include <vector>

#include "app/lookups.hpp"
#include "publish/comparison.hpp"

namespace pinnace::app {

struct Served {
  std::vector<publish::ServedHost> hosts;
  std::vector<publish::ServedDomain> domains;
};

// In the order of `settings`, which outlives it.
io::Task<Served> look_up_served(Lookups& lookups, const publish::Settings& settings);

}  // namespace pinnace::app
