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
#include "discovery/pin_store.hpp"
#include "discovery/routes.hpp"
#include "queue/queue.hpp"

namespace pinnace::delivery {

class Deliverer {
 public:
  Deliverer(Tools tools, queue::Queue& queue, discovery::Routes& routes, discovery::PinStore& pins);

  // `domain` has due work. Cheap; may be called for every message.
  void wake(const std::string& domain);
  // Takes no more work; stopped() is true once the messages under way have ended.
  void stop() { stopping_ = true; }
  bool stopped() const { return workers_ == 0; }

 private:
  struct Target {  // a host that can be tried now
    std::string host;
    std::vector<io::IpAddress> addresses;
    policy::Decision decision;
    bool mx_secure = false;
  };
  struct Destination {
    std::size_t workers = 0;
  };

  void start(const std::string& domain);
  io::Task<void> work(std::string domain);
  io::Task<void> deliver(queue::Work work, std::unique_ptr<Session>& session);
  io::Task<std::vector<queue::Outcome>> attempt(const queue::Work& work, std::unique_ptr<Session>& session);
  io::Task<std::vector<queue::Outcome>> over_session(const queue::Work& work,
                                                     std::unique_ptr<Session>& session, const Target& target,
                                                     Problem& problem);
  policy::Wish wish_of(const queue::Message& message) const;
  io::Task<Attempt<Target>> target(const queue::Work& work, const dns::MailHosts& hosts, std::string host);
  io::Task<Attempt<bool>> connect(const queue::Work& work, const Target& target,
                                  std::unique_ptr<Session>& session);
  Problem believed(const std::string& domain, const dns::MailHosts& hosts, Problem final_one) const;
  std::vector<queue::Outcome> all(const queue::Work& work, const Problem& problem,
                                  const std::string& host) const;
  void log_refused(const queue::Work& work, const Session& session, const Problem& problem) const;
  void log_outcomes(const queue::Work& work, const std::vector<queue::Outcome>& outcomes,
                    const Session* session) const;
  std::string binding_name(const std::string& host) const;

  Tools tools_;
  queue::Queue& queue_;
  discovery::Routes& routes_;
  discovery::PinStore& pins_;
  std::unordered_map<std::string, Destination> destinations_;
  std::deque<std::string> waiting_;  // destinations that wait for a connection to be free
  std::size_t workers_ = 0;
  bool stopping_ = false;
};

}  // namespace pinnace::delivery
