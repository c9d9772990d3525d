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

#include "delivery/attempts.hpp"
#include "delivery/waiting_mail.hpp"
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
  io::Task<void> watch_clock();
  io::Task<void> watch_limits();
  bool must_wait(const std::string& destination, const Session* session);
  io::Task<void> look_after(std::string destination);
  io::Task<void> work(std::string destination);
  io::Task<bool> deliver_next(std::string destination, std::unique_ptr<Session>& session);
  io::Task<bool> wait_idle(std::string destination, Limits::Held counted);
  bool wake_idle(const std::string& destination);
  io::Task<void> deliver(queue::Work work, std::unique_ptr<Session>& session);

  Tools tools_;
  queue::Queue& queue_;
  discovery::Gatherer& gatherer_;
  Destinations destinations_;
  io::Timer limits_changed_;
  Limits limits_;
  Attempts attempts_;
  WaitingMail waiting_;
  std::deque<std::string> turns_;  // destinations that wait for a connection to be free
  std::unordered_set<std::string> in_turn_;
  std::list<Idle> idle_;  // the longest first
  std::shared_ptr<const policy::RuleBook> rules_;
  io::Timer timer_;
  std::size_t workers_ = 0;
  bool stopping_ = false;
};

}  // namespace pinnace::delivery
