// How many deliveries to a destination run at once, and when none is tried.
//
// A destination begins with one connection. The first host that answers opens its window to
// `concurrency_initial`; each message that is taken widens it up to `concurrency`, each session that breaks
// and each message that is put off narrows it. Where no host can be used, for the network or for a policy
// that judges the host, all its mail waits together: after a pause, longer each time, one message is tried,
// and the others follow when that gets through. So a dead destination costs one connection a pause, whatever
// waits for it. RFC 5321 4.5.4.1.
//
// A destination is the queue's (queue/summary.hpp): mail with another wish about TLS is never judged by it.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "delivery/problem.hpp"
#include "delivery/settings.hpp"
#include "queue/schedule.hpp"

namespace pinnace::delivery {

// What waits is looked at for notices of delay no more often.
inline constexpr base::Seconds kLook{60};

// Why a destination's mail waits together.
struct WaitingTogether {
  Problem problem;
  std::string host;  // the last that was tried
  base::Time since{};
  base::Time until{};          // then one message is tried
  base::Milliseconds pause{};  // how long that was when it was set
};

class Destinations {
 public:
  Destinations(const base::Clock& clock, const Settings& settings, const queue::ScheduleSettings& schedule)
      : clock_(clock), settings_(settings), schedule_(schedule) {}

  bool may_start(const std::string& destination) const;  // one more worker
  bool may_go_on(const std::string& destination) const;
  std::size_t workers(const std::string& destination) const;
  void started(const std::string& destination) { ++states_[destination].workers; }
  void ended(const std::string& destination);
  // A worker's session was opened, or is no more.
  void connected(const std::string& destination, bool now);

  void answered(const std::string& destination);
  void took_a_message(const std::string& destination);
  void put_off(const std::string& destination);

  // No host could be used, and that is not the message's fault. `own_session`: the worker that asks is
  // connected itself, and could use that no more.
  struct Unreachable {
    bool others_reach_it = false;     // the message is to go over their sessions
    std::optional<base::Time> until;  // when its mail is tried again; nothing: each message as it is due
  };
  // `not_before`: nothing was tried, since each host is known not to answer until then.
  Unreachable unreachable(const std::string& destination, WaitingTogether why,
                          std::optional<base::Time> not_before, bool own_session);
  // Null: it does not.
  const WaitingTogether* waits(const std::string& destination) const;
  // By an operator: tried at once.
  void release(const std::string& destination);
  void release_all();
  // Those that wait for this host, which answers again.
  void release_for(const std::string& host);

  // due_alarms() tells of it then, if that is earlier than it would anyway.
  void look_again(const std::string& destination, base::Time at);
  // Which may be tried again by now, or asked to be looked at. Once a second.
  std::vector<std::string> due_alarms();
  std::size_t size() const { return states_.size(); }  // those of which anything is remembered

 private:
  struct State {
    std::size_t workers = 0;
    std::size_t connected = 0;
    double window = 1;
    std::uint32_t failures = 0;  // pauses since it was last reached
    std::optional<WaitingTogether> waiting;
    base::Time alarm = base::Time::max();
    base::Time forget{};  // then nothing of it counts any more
  };
  const State* find(const std::string& destination) const;
  bool paused(const State& state) const;
  void set_alarm(const std::string& destination, State& state, base::Time at);
  void resume(State& state);
  void follow_clock();
  void forget_unused(std::unordered_map<std::string, State>::iterator state);

  const base::Clock& clock_;
  const Settings& settings_;
  queue::ScheduleSettings schedule_;
  std::unordered_map<std::string, State> states_;
  std::multimap<base::Time, std::string> alarms_;  // one that the state does not know is old
  std::size_t waiting_ = 0;
  base::Time latest_{};  // that the clock has shown
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace pinnace::delivery
