#include "delivery/destinations.hpp"

#include <algorithm>

namespace pinnace::delivery {
namespace {

// What waits together has its reason in memory; of more destinations each message waits by itself.
constexpr std::size_t kMostWaiting = 50'000;

}  // namespace

const Destinations::State* Destinations::find(const std::string& destination) const {
  const auto found = states_.find(destination);
  return found == states_.end() ? nullptr : &found->second;
}

bool Destinations::paused(const State& state) const {
  const base::Time now = clock_.now();
  return state.waiting && now < state.waiting->until;
}

bool Destinations::may_start(const std::string& destination) const {
  const State* state = find(destination);
  if (!state) return true;
  return !paused(*state) && state->workers < static_cast<std::size_t>(state->window);
}

bool Destinations::may_go_on(const std::string& destination) const {
  const State* state = find(destination);
  if (!state) return true;
  return !paused(*state) && state->workers <= static_cast<std::size_t>(state->window);
}

std::size_t Destinations::workers(const std::string& destination) const {
  const State* state = find(destination);
  return state ? state->workers : 0;
}

void Destinations::forget_unused(std::unordered_map<std::string, State>::iterator state) {
  const State& s = state->second;
  if (s.workers > 0 || s.waiting || s.alarm != base::Time::max()) return;
  if (s.failures > 0 && clock_.now() < s.forget) return;
  states_.erase(state);
}

void Destinations::ended(const std::string& destination) {
  const auto state = states_.find(destination);
  --state->second.workers;
  forget_unused(state);
}

void Destinations::connected(const std::string& destination, bool now) {
  std::size_t& count = states_[destination].connected;
  count = now ? count + 1 : count - 1;
}

void Destinations::answered(const std::string& destination) {
  State& s = states_[destination];
  s.failures = 0;
  resume(s);
  s.window =
      std::max(s.window, static_cast<double>(std::min(settings_.concurrency_initial, settings_.concurrency)));
}

void Destinations::took_a_message(const std::string& destination) {
  State& s = states_[destination];
  s.window = std::min(s.window + settings_.concurrency_growth, static_cast<double>(settings_.concurrency));
}

void Destinations::put_off(const std::string& destination) {
  State& s = states_[destination];
  s.window = std::max(s.window - settings_.concurrency_shrink, 1.0);
}

Destinations::Unreachable Destinations::unreachable(const std::string& destination, WaitingTogether why,
                                                    std::optional<base::Time> not_before, bool own_session) {
  Unreachable out;
  State& s = states_[destination];
  s.window = 1;
  if (s.connected > (own_session ? 1U : 0U)) {
    out.others_reach_it = true;
    return out;
  }
  if (!s.waiting && waiting_ >= kMostWaiting) return out;
  const base::Time now = clock_.now();
  const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
  queue::ScheduleSettings schedule = schedule_;
  schedule.retry_max = std::min(schedule.retry_max, settings_.probe_max);
  if (not_before) {
    // Many wait for that host: not all of them in the same second.
    const auto spread = schedule.jitter * random * static_cast<double>((*not_before - now).count());
    why.until = *not_before + base::Milliseconds(static_cast<std::int64_t>(spread));
  } else {
    ++s.failures;
    why.until = now + queue::retry_pause(s.failures, schedule, random);
  }
  why.pause = why.until - now;
  s.forget = why.until + 2 * schedule.retry_max;
  why.since = s.waiting ? s.waiting->since : now;
  out.until = why.until;
  if (!s.waiting) ++waiting_;
  s.waiting = std::move(why);
  set_alarm(destination, s, *out.until);
  return out;
}

const WaitingTogether* Destinations::waits(const std::string& destination) const {
  const State* state = find(destination);
  return state && state->waiting ? &*state->waiting : nullptr;
}

void Destinations::resume(State& state) {
  if (!state.waiting) return;
  state.waiting.reset();
  --waiting_;
}

void Destinations::release(const std::string& destination) {
  const auto found = states_.find(destination);
  if (found == states_.end() || !found->second.waiting) return;
  found->second.waiting->until = clock_.now();
  look_again(destination, clock_.now());
}

void Destinations::release_all() {
  for (auto& [destination, state] : states_) {
    if (!state.waiting) continue;
    state.waiting->until = clock_.now();
    look_again(destination, clock_.now());
  }
}

void Destinations::release_for(const std::string& host) {
  for (auto& [destination, state] : states_) {
    if (!state.waiting || state.waiting->host != host) continue;
    state.waiting->until = clock_.now();
    look_again(destination, clock_.now());
  }
}

void Destinations::set_alarm(const std::string& destination, State& state, base::Time at) {
  state.alarm = at;
  alarms_.emplace(at, destination);
}

void Destinations::look_again(const std::string& destination, base::Time at) {
  State& s = states_[destination];
  if (at < s.alarm) set_alarm(destination, s, at);
}

// Where the clock was set back, no pause is longer than it was, and all is looked at again.
void Destinations::follow_clock() {
  const base::Time now = clock_.now();
  if (now < latest_) {
    for (auto& [destination, state] : states_) {
      if (state.waiting) {
        const base::Milliseconds kept = state.forget - state.waiting->until;
        state.waiting->until = std::min(state.waiting->until, now + state.waiting->pause);
        state.forget = std::min(state.forget, state.waiting->until + kept);
      }
      if (state.alarm != base::Time::max()) look_again(destination, now);
    }
  }
  latest_ = now;
}

std::vector<std::string> Destinations::due_alarms() {
  std::vector<std::string> out;
  follow_clock();
  const base::Time now = clock_.now();
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const auto [at, destination] = std::move(*alarms_.begin());
    alarms_.erase(alarms_.begin());
    const auto state = states_.find(destination);
    if (state == states_.end() || state->second.alarm != at) continue;
    State& s = state->second;
    s.alarm = base::Time::max();
    if (s.waiting && now < s.waiting->until) {
      set_alarm(destination, s, s.waiting->until);
    } else if (s.workers == 0 && now >= s.forget) {
      resume(s);  // nothing is left of what waited for it
      s.failures = 0;
      forget_unused(state);
    } else if (s.waiting || s.failures > 0) {
      set_alarm(destination, s, std::max(s.forget, now + base::Seconds(1)));
    } else {
      forget_unused(state);
    }
    out.push_back(destination);
  }
  return out;
}

}  // namespace pinnace::delivery
