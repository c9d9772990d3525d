// Takes due work from the queue and brings it to its hosts: for each destination so many workers as its
// window lets (destinations.hpp), each with a session that it keeps as long as there is work that the same
// decision covers, and a little longer. Where all connections are in use, destinations take turns.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "delivery/destinations.hpp"
#include "delivery/learning.hpp"
#include "delivery/limits.hpp"
#include "delivery/session.hpp"
#include "delivery/targets.hpp"
#include "delivery/unreachable_hosts.hpp"
#include "discovery/gatherer.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

class Deliverer {
 public:
  Deliverer(Tools tools, queue::Queue& queue, discovery::Gatherer& gatherer, discovery::PinStore& pins);

  // `destination` has due work. Cheap; may be called for every message.
  void wake(const std::string& destination);
  // Takes no more work; stopped() is true once the messages under way have ended.
  void stop();
  bool stopped() const { return workers_ == 0; }

  // Why a destination's mail waits together; null where it does not.
  const WaitingTogether* waits(const std::string& destination) const {
    return destinations_.waits(destination);
  }
  // Why it waits for a rule's limit, for people; empty where it does not.
  std::string limited(const std::string& destination) { return limits_.why(destination); }
  // By an operator: the destination, or all, and every host are tried at once, as far as limits let them.
  void release(const std::string& destination);
  void release_all();

 private:
  struct Tried {
    std::vector<queue::Outcome> outcomes;  // empty: no host would do
    Problem problem;                       // then why
    std::string host;                      // the last that was tried
  };
  struct Trial {                             // one attempt at one message
    io::Steady::time_point until;            // no further host or address is tried
    bool sent = false;                       // a host heard of the message
    bool probed = false;                     // something was asked, and not only known
    std::optional<base::Time> host_again{};  // when a host that is known not to answer is tried
    std::optional<Limits::Full> full{};      // a limit keeps it from the host that was looked at last
  };
  struct Idle {  // a worker with a session and no work
    Idle(std::string to, Limits::Held connection, io::Loop& loop)
        : destination(std::move(to)), timer(loop), counted(std::move(connection)) {}
    std::string destination;
    io::Timer timer;
    Limits::Held counted;     // its connection
    bool called = false;      // there is work
    bool must_leave = false;  // another destination waits for a connection
  };

  void start(const std::string& destination);
  void next_turns();
  std::unique_ptr<Session> leave(const std::string& destination, std::unique_ptr<Session>& session);
  io::Task<void> watch_clock();
  io::Task<void> watch_limits();
  bool must_wait(const std::string& destination, const Session* session);
  io::Task<void> look_after(std::string destination);
  io::Task<void> expire(std::string destination);
  io::Task<bool> give_up(queue::Work work, bool& looked);
  io::Task<void> tell_of_delay(std::string destination);
  std::optional<WaitingTogether> held_back(const std::string& destination);
  void look_later(const std::string& destination, std::optional<base::Time> next_notice);
  io::Task<void> work(std::string destination);
  io::Task<bool> deliver_next(std::string destination, std::unique_ptr<Session>& session);
  io::Task<bool> wait_idle(std::string destination, Limits::Held counted);
  bool wake_idle(const std::string& destination);
  io::Task<void> deliver(queue::Work work, std::unique_ptr<Session>& session);
  io::Task<void> finish(queue::Work work, std::vector<queue::Outcome> outcomes, const Session* session);
  io::Task<std::optional<discovery::DomainFacts>> newer_policy(const queue::Work& work,
                                                               discovery::DomainFacts known);
  io::Task<std::vector<queue::Outcome>> attempt(const queue::Work& work, std::unique_ptr<Session>& session);
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
  std::vector<queue::Outcome> all(const queue::Work& work, const Problem& problem,
                                  const std::string& host) const;
  void log_refused(const queue::Work& work, const Session& session, const Problem& problem) const;
  void log_outcomes(const queue::Work& work, const std::vector<queue::Outcome>& outcomes,
                    const Session* session) const;

  Tools tools_;
  queue::Queue& queue_;
  discovery::Gatherer& gatherer_;
  discovery::PinStore& pins_;
  Targets targets_;
  Destinations destinations_;
  UnreachableHosts hosts_;
  io::Timer limits_changed_;
  Limits limits_;
  std::deque<std::string> turns_;  // destinations that wait for a connection to be free
  std::unordered_set<std::string> in_turn_;
  std::list<Idle> idle_;  // the longest first
  std::shared_ptr<const policy::RuleBook> rules_;
  io::Timer timer_;
  std::size_t workers_ = 0;
  bool stopping_ = false;
};

}  // namespace pinnace::delivery
