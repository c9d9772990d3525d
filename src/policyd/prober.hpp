// Finds pins without delivering: connects to a host as a sender would (EHLO, STARTTLS, EHLO, QUIT), in the
// background, paced, and notes what it advertises by the rules of pins/noting.hpp. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "delivery/probe.hpp"
#include "discovery/gatherer.hpp"
#include "postfix/domain_known.hpp"

namespace pinnace::policyd {

struct ProberSettings {
  std::size_t parallel = 8;                             // probes at once
  double per_second = 5;                                // begun
  base::Seconds host_pause = std::chrono::minutes(10);  // between two of one host
  base::Seconds refresh = std::chrono::hours(12);       // of what was seen, while it is asked for
  std::size_t most_hosts = 100'000;                     // remembered
};

struct ProberStats {
  std::uint64_t probes = 0, failed = 0, noted = 0, waiting = 0;
};

class Prober {
 public:
  // `learned` is called when a probe of a host has ended and something about it is now known that was not:
  // answers for the domains that use it can be made anew.
  Prober(delivery::Tools& tools, discovery::Gatherer& gatherer, discovery::PinStore& pins,
         ProberSettings settings, std::function<void(const std::string& host)> learned);
  ~Prober();

  // Sees to a probe of the host under this decision, soon, unless one was made or is under way. Never waits.
  void want(const discovery::HostFacts& host, std::shared_ptr<const policy::Decision> decision);
  // Chains that satisfied a decision of the same key, newest first; none that has expired.
  std::vector<postfix::SeenChain> seen(const std::string& host, const policy::Decision& decision) const;

  ProberStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::policyd
