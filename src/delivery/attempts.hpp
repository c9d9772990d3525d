// One attempt at one message: its hosts in order, until one takes it or may have taken it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/destinations.hpp"
#include "delivery/learning.hpp"
#include "delivery/limits.hpp"
#include "delivery/session.hpp"
#include "delivery/targets.hpp"
#include "delivery/unreachable_hosts.hpp"
#include "discovery/gatherer.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

class Attempts {
 public:
  Attempts(Tools& tools, queue::Queue& queue, discovery::Gatherer& gatherer, discovery::PinStore& pins,
           Destinations& destinations, Limits& limits);

  // What became of each recipient. Empty: the message is to be given back, and goes with the others of its
  // destination. `session`: over which the message before went, if it may be used again; over which this one
  // went.
  io::Task<std::vector<queue::Outcome>> attempt(const queue::Work& work, std::unique_ptr<Session>& session);
  // The session is used no more.
  std::unique_ptr<Session> leave(const std::string& destination, std::unique_ptr<Session>& session);
  // Asks the DNS for a newer MTA-STS policy than what is known (RFC 8461 5). True: there is one.
  io::Task<bool> newer_policy(const queue::Work& work);
  // Hosts that did not answer are tried at once.
  void forget_unreachable() { hosts_.forget_all(); }

 private:
  struct Tried {
    std::vector<queue::Outcome> outcomes;  // empty: no host would do
    Problem problem;                       // then why
    std::string host;                      // the last that was tried
  };
  struct Trial {
    io::Steady::time_point until;            // no further host or address is tried
    bool sent = false;                       // a host heard of the message
    bool probed = false;                     // something was asked, and not only known
    std::optional<base::Time> host_again{};  // when a host that is known not to answer is tried
    std::optional<Limits::Full> full{};      // a limit keeps it from the host that was looked at last
  };

  io::Task<std::optional<discovery::DomainFacts>> newer_facts(const queue::Work& work,
                                                              discovery::DomainFacts known);
  std::vector<queue::Outcome> without_session(const queue::Work& work, const Tried& tried, const Trial& trial,
                                              bool connected);
  io::Task<std::vector<queue::Outcome>> over_session(const queue::Work& work,
                                                     std::unique_ptr<Session>& session, const Target& target,
                                                     Trial& trial, Problem& problem);
  io::Task<Tried> try_hosts(const queue::Work& work, discovery::DomainFacts domain, Trial& trial,
                            std::unique_ptr<Session>& session);
  io::Task<Attempt<bool>> connect(const queue::Work& work, const Target& target, Trial& trial,
                                  std::unique_ptr<Session>& session);
  Problem believed(const discovery::DomainFacts& domain, Problem final_one) const;
  std::optional<Problem> without_hosts(const discovery::DomainFacts& domain) const;

  Tools& tools_;
  queue::Queue& queue_;
  discovery::Gatherer& gatherer_;
  discovery::PinStore& pins_;
  Destinations& destinations_;
  Limits& limits_;
  Targets targets_;
  UnreachableHosts hosts_;
};

}  // namespace pinnace::delivery
