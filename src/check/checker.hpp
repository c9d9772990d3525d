// Looks a domain's receiving side up and probes its hosts, all at the same time within bounds. Nothing is
// sent to anybody. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "check/facts.hpp"
#include "discovery/gatherer.hpp"

namespace pinnace::check {

// What a check needs; outlives it.
struct Means {
  dns::Resolver& resolver;
  discovery::Gatherer& gatherer;
  delivery::Tools& tools;
};

struct Bounds {
  std::size_t domains = 8;             // at the same time
  std::size_t connections = 32;        // at the same time
  std::size_t addresses_of_host = 16;  // the first so many are probed
};

// The facts of each domain, in the order of `domains`: names in A-labels. `done(n)`: n of them are.
io::Task<std::vector<DomainFacts>> check_all(Means means, Bounds bounds, std::vector<std::string> domains,
                                             std::function<void(std::size_t)> done);

}  // namespace pinnace::check
