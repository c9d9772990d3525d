#include "delivery/deliverer.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "delivery/outcomes.hpp"

namespace pinnace::delivery {

using queue::Outcome;

Deliverer::Deliverer(Tools tools, queue::Queue& queue, discovery::Gatherer& gatherer,
                     discovery::PinStore& pins)
    : tools_(std::move(tools)),
      queue_(queue),
      gatherer_(gatherer),
      destinations_(tools_.clock, tools_.settings, queue.schedule()),
      limits_changed_(tools_.loop),
      limits_(tools_.clock, [this] { limits_changed_.cancel(); }),
      attempts_(tools_, queue, gatherer, pins, destinations_, limits_),
      waiting_(tools_, queue, destinations_, limits_, attempts_),
      rules_(gatherer.rules()),
      timer_(tools_.loop) {
  limits_.set_rules(rules_);
  tools_.loop.spawn(watch_clock());
  tools_.loop.spawn(watch_limits());
}

void Deliverer::wake(const std::string& destination) {
  const auto line = limits_.waits(destination);
  const bool for_rate = line == Limits::Need::message;
  if (stopping_ || (!for_rate && wake_idle(destination))) return;
  if (!destinations_.may_start(destination)) {
    // What comes into the line of one that waits may be past its lifetime before the others.
    if (destinations_.waits(destination)) waiting_.look_later(destination, tools_.clock.now());
    return;
  }
  if (must_wait(destination, nullptr)) return;
  if (workers_ < tools_.settings.max_connections) return start(destination);
  if (!in_turn_.insert(destination).second) return;
  turns_.push_back(destination);
  // An idle session makes room, for each who waits another.
  const auto idle = std::find_if(idle_.begin(), idle_.end(),
                                 [](const Idle& one) { return !one.must_leave && !one.called; });
  if (idle == idle_.end()) return;
  idle->must_leave = true;
  idle->timer.cancel();
}

void Deliverer::stop() {
  stopping_ = true;
  waiting_.stop();
  for (Idle& idle : idle_) idle.timer.cancel();
}

void Deliverer::release(const std::string& destination) {
  attempts_.forget_unreachable();
  destinations_.release(destination);
  wake(destination);
}

void Deliverer::release_all() {
  attempts_.forget_unreachable();
  destinations_.release_all();
}

void Deliverer::start(const std::string& destination) {
  destinations_.started(destination);
  ++workers_;
  // Later: the caller may be in the middle of changing the queue.
  tools_.loop.post([this, destination] { tools_.loop.spawn(work(destination)); });
}

io::Task<void> Deliverer::watch_clock() {
  bool elapsed = true;
  while (elapsed) {
    elapsed = co_await timer_.wait(std::chrono::seconds(1));
    if (stopping_) continue;
    // What other rules make of a host is another matter.
    if (rules_ != gatherer_.rules()) {
      rules_ = gatherer_.rules();
      release_all();
    }
    for (const std::string& destination : destinations_.due_alarms()) {
      if (waiting_.held_back(destination)) tools_.loop.spawn(look_after(destination));
      if (queue_.has_due(destination) && destinations_.may_start(destination)) wake(destination);
    }
  }
}

// Calls those for whom there is room again.
io::Task<void> Deliverer::watch_limits() {
  constexpr base::Milliseconds kLeast{10}, kMost{1000};
  for (;;) {
    const auto next = limits_.next_call();
    const auto pause = next ? std::clamp(*next - tools_.clock.now(), kLeast, kMost) : kMost;
    const bool elapsed = co_await limits_changed_.wait(pause);
    (void)elapsed;  // else the time of the next call is another
    if (stopping_) continue;
    limits_.set_rules(gatherer_.rules());
    const auto wants = [this](const std::string& destination) {
      const WaitingTogether* waits = destinations_.waits(destination);
      const bool paused = waits && tools_.clock.now() < waits->until;
      return !paused && queue_.has_due(destination);
    };
    for (const std::string& destination : limits_.called(wants)) wake(destination);
    // An idle connection is given to who waits for one.
    for (Idle& idle : idle_) {
      if (!Limits::wanted_by_others(idle.counted, idle.destination)) continue;
      idle.must_leave = true;
      idle.timer.cancel();
    }
  }
}

// There is no room for one more message of this destination: then it stands in a line. `session`: that which
// the message would go over; null: one is to be made.
bool Deliverer::must_wait(const std::string& destination, const Session* session) {
  limits_.set_rules(gatherer_.rules());
  const auto line = limits_.waits(destination);
  if (line == Limits::Need::message || (line && !session)) return true;
  const Limits::Way way{destination, queue::domain_of(destination), session ? session->host_name() : ""};
  const auto full = limits_.full(way, session ? Limits::Need::message : Limits::Need::connection);
  if (!full) return false;
  limits_.wait(destination, *full);
  destinations_.look_again(destination, tools_.clock.now() + kLook);
  return true;
}

// Mail that waits together, and what follows it.
io::Task<void> Deliverer::look_after(std::string destination) {
  ++workers_;
  co_await waiting_.look(destination);
  --workers_;
  next_turns();
  if (!waiting_.held_back(destination)) {
    if (queue_.has_due(destination)) wake(destination);
  } else if (const auto at = queue_.next_expiry(destination)) {
    destinations_.look_again(destination, std::max(*at, tools_.clock.now() + base::Seconds(1)));
  }
}

// Whoever waits for a connection longest is next.
void Deliverer::next_turns() {
  while (!turns_.empty() && workers_ < tools_.settings.max_connections) {
    const std::string next = std::move(turns_.front());
    turns_.pop_front();
    in_turn_.erase(next);
    if (queue_.has_due(next) && destinations_.may_start(next)) start(next);
  }
}

io::Task<void> Deliverer::work(std::string destination) {
  // So many messages, while others wait for a connection; then it is their turn.
  constexpr std::size_t kTurn = 20;
  std::unique_ptr<Session> session;
  for (std::size_t done = 1; !stopping_ && destinations_.may_go_on(destination); ++done) {
    bool more = co_await deliver_next(destination, session);
    if (!turns_.empty() && (done >= kTurn || destinations_.workers(destination) > 1)) break;
    const Limits::Held counted = session ? session->counted() : nullptr;
    if (done >= kTurn && Limits::wanted_by_others(counted, destination)) break;
    if (!more && session && session->reusable()) more = co_await wait_idle(destination, counted);
    if (!more) break;
  }
  // Gone from the count before the goodbye, so that new work does not wait for it.
  --workers_;
  std::unique_ptr<Session> last = attempts_.leave(destination, session);
  destinations_.ended(destination);
  if (destinations_.workers(destination) == 0) limits_.left(destination);
  next_turns();
  if (queue_.has_due(destination)) wake(destination);
  if (last) co_await last->quit();
}

// False: nothing is due, or it waits for a limit.
io::Task<bool> Deliverer::deliver_next(std::string destination, std::unique_ptr<Session>& session) {
  if (must_wait(destination, session.get())) co_return false;
  auto next = queue_.take(destination);
  if (!next) co_return false;
  // As many as the window lets.
  if (queue_.has_due(destination)) wake(destination);
  bool broken = false;
  queue::Work taken = *next;
  try {
    co_await deliver(std::move(taken), session);
  } catch (const std::exception& e) {
    // A bug or no memory: this message waits for its next attempt, the others go on.
    base::log_error("delivery_broken", {{"id", next->message->id.str()}, {"what", e.what()}});
    broken = true;
  }
  if (broken) {
    attempts_.leave(destination, session).reset();
    std::vector<Outcome> deferred =
        same_for_all(*next, temporary("4.3.0", "an error in this relay; see its log"), "");
    std::optional<queue::OwnMessage> no_dsn;
    const auto recorded = co_await queue_.record(std::move(*next), std::move(deferred), std::move(no_dsn));
    if (!recorded) base::log_error("outcome_not_recorded", {{"detail", recorded.error().detail}});
  }
  co_return true;
}

// An idle session takes what comes, before another is opened. False: there is none.
bool Deliverer::wake_idle(const std::string& destination) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) {
    return idle.destination == destination && !idle.called;
  });
  if (found == idle_.end()) return false;
  found->called = true;
  found->timer.cancel();
  return true;
}

// True: there is work again.
io::Task<bool> Deliverer::wait_idle(std::string destination, Limits::Held counted) {
  const auto pause = tools_.settings.connection_idle;
  if (stopping_ || !turns_.empty() || pause == base::Milliseconds(0)) co_return false;
  if (Limits::wanted_by_others(counted, destination)) co_return false;
  idle_.emplace_back(std::move(destination), std::move(counted), tools_.loop);
  const auto me = std::prev(idle_.end());
  const bool elapsed = co_await me->timer.wait(pause);
  const bool more = !elapsed && me->called && !me->must_leave;
  idle_.erase(me);
  co_return more;
}

io::Task<void> Deliverer::deliver(queue::Work work, std::unique_ptr<Session>& session) {
  std::vector<Outcome> outcomes = co_await attempts_.attempt(work, session);
  if (destinations_.waits(work.destination)) waiting_.look_later(work.destination, tools_.clock.now());
  if (outcomes.empty()) {
    queue_.give_back(std::move(work));
    co_return;
  }
  co_await record_outcomes(tools_, queue_, std::move(work), std::move(outcomes), session.get());
}

}  // namespace pinnace::delivery
