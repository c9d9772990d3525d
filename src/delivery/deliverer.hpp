// Takes due work from the queue and brings it to its hosts. For each destination at most
// `concurrency` workers, each with a session that it keeps as long as there is work that
// the same decision covers.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "delivery/learning.hpp"
#include "delivery/session.hpp"
#include "delivery/targets.hpp"
#include "discovery/gatherer.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

class Deliverer {
 public:
  Deliverer(Tools tools, queue::Queue& queue, discovery::Gatherer& gatherer, discovery::PinStore& pins);

  // `destination` has due work. Cheap; may be called for every message.
  void wake(const std::string& destination);
  // Takes no more work; stopped() is true once the messages under way have ended.
  void stop() { stopping_ = true; }
  bool stopped() const { return workers_ == 0; }

 private:
  struct Tried {
    std::vector<queue::Outcome> outcomes;  // empty: no host would do
    Problem problem;                       // then why
    std::string host;                      // the last that was tried
  };
  struct Destination {
    std::size_t workers = 0;
  };

  void start(const std::string& destination);
  io::Task<void> work(std::string destination);
  io::Task<void> deliver(queue::Work work, std::unique_ptr<Session>& session);
  io::Task<std::vector<queue::Outcome>> attempt(const queue::Work& work, std::unique_ptr<Session>& session);
  io::Task<std::vector<queue::Outcome>> over_session(const queue::Work& work,
                                                     std::unique_ptr<Session>& session, const Target& target,
                                                     io::Steady::time_point until, Problem& problem);
  io::Task<Tried> try_hosts(const queue::Work& work, discovery::DomainFacts domain,
                            io::Steady::time_point until, std::unique_ptr<Session>& session);
  io::Task<Attempt<bool>> connect(const queue::Work& work, const Target& target, io::Steady::time_point until,
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
  std::unordered_map<std::string, Destination> destinations_;
  std::deque<std::string> waiting_;  // destinations that wait for a connection to be free
  std::size_t workers_ = 0;
  bool stopping_ = false;
};

}  // namespace pinnace::delivery
