// Finds pins without delivering: connects to a host as a sender would (EHLO, STARTTLS, EHLO, QUIT), in the
// background, paced, and notes what it advertises by the rules of pins/noting.hpp. On the loop's thread.
//
// A host is looked at once when it is first wanted, and again before what was seen or noted ends, as long as
// it is asked for. Who is to be looked at is said by anybody's MX records, so nobody's hosts take the turns
// of others': a next hop has a few that wait, an address rests between two looks, what an answer rests on
// goes first, and what a host shows is judged for all who use it. `host` is everywhere the name that its pins
// are bound to ("mx.example.org", with ":port" where that is not 25).
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
  std::size_t parallel = 8;  // probes at once
  double per_second = 5;     // connections begun, evenly
  base::Seconds host_pause =
      std::chrono::minutes(10);  // between two of one host; doubled while it cannot be reached
  // Between two looks at one address that answered, whatever the hosts there are called; after one at which
  // nobody did it is `host_pause`. IPv6: of one /64.
  base::Seconds address_pause{10};
  base::Seconds refresh = std::chrono::hours(12);  // of what was seen, while it is asked for
  // The same, where what Postfix was told rests on it: a renewed certificate is refused until it is seen.
  base::Seconds refresh_needed = std::chrono::hours(1);
  std::size_t most_hosts = 100'000;  // remembered; who was not asked for longest goes
  std::size_t most_waiting = 1'000;  // for their first probe; more are dropped until asked again
  std::size_t most_of_hop = 3;       // of these, brought by one next hop
};

struct ProberStats {
  std::uint64_t probes = 0;   // connections begun
  std::uint64_t failed = 0;   // hosts that could not be reached, or not be used under their decision
  std::uint64_t noted = 0;    // hosts whose pins or STSEC were not known before
  std::uint64_t dropped = 0;  // hosts that found no room to wait
  std::uint64_t waiting = 0;  // hosts that wait for their first probe now
  std::uint64_t running = 0;  // now
  std::uint64_t hosts = 0;    // remembered now
};

// Who wants it.
struct ProbeFor {
  std::string next_hop;
  bool needed = false;  // what Postfix is told rests on what the host shows, or would
};

class Prober {
 public:
  // `tools` and `pins` outlive the loop's tasks. `learned` is called when a probe of a host has ended and
  // something about it is now known that was not: answers for the domains that use it can be made anew.
  Prober(const delivery::Tools& tools, discovery::PinStore& pins, ProberSettings settings,
         std::function<void(const std::string& host)> learned);
  ~Prober();  // `learned` is called no more
  Prober(const Prober&) = delete;

  // Sees to a probe of the host under this decision, soon, unless one was made or is under way. Never waits.
  void want(const discovery::HostFacts& host, std::shared_ptr<const policy::Decision> decision,
            const ProbeFor& whom);
  // Chains that satisfied a decision of the same key, newest first; none that has expired.
  std::vector<postfix::SeenChain> seen(const std::string& host, const policy::Decision& decision) const;

  ProberStats stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // its tasks hold it too
};

}  // namespace pinnace::policyd
