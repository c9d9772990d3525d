#include "delivery/waiting_mail.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "delivery/bounce.hpp"
#include "delivery/outcomes.hpp"

namespace pinnace::delivery {

using queue::Outcome;

// Gives up what is past its lifetime of a destination's mail, for the reason for which all of it waits.
io::Task<void> WaitingMail::expire(std::string destination) {
  bool looked = false;  // for a newer policy
  for (std::size_t n = queue_.promote_expired(destination); n > 0 && !stopping_; --n) {
    auto work = queue_.take(destination);
    if (!work) break;
    bool given_up = false;
    try {
      given_up = co_await give_up(*work, looked);
    } catch (const std::exception& e) {
      base::log_error("expiry_broken", {{"id", work->message->id.str()}, {"what", e.what()}});
    }
    if (given_up) continue;
    queue_.give_back(std::move(*work));
    break;
  }
}

// One message that is past its lifetime. False: it is to be given back, for there may be another way now.
io::Task<bool> WaitingMail::give_up(queue::Work work, bool& looked) {
  const std::optional<WaitingTogether> found = held_back(work.destination);
  if (!found || !queue_.expired(*work.message)) co_return false;
  const WaitingTogether why = *found;
  // RFC 8461 5: before it is given up, whatever another message found.
  if (!looked && why.problem.failed_by_sts()) {
    looked = true;
    const bool newer = co_await attempts_.newer_policy(work);
    if (newer) {
      destinations_.release(work.destination);
      co_return false;
    }
  }
  std::vector<Outcome> outcomes = same_for_all(work, why.problem, why.host);
  co_await record_outcomes(tools_, queue_, std::move(work), std::move(outcomes), nullptr);
  co_return true;
}

std::optional<WaitingTogether> WaitingMail::held_back(const std::string& destination) {
  if (const WaitingTogether* waits = destinations_.waits(destination)) return *waits;
  const std::string limit = limits_.waits(destination) ? limits_.why(destination) : "";
  if (limit.empty()) return std::nullopt;
  WaitingTogether out;
  out.problem = temporary("4.4.5", "it " + limit);
  out.problem.limited = true;
  return out;
}

// RFC 3461 5.2.5: whoever is to be told of a delay is told though his message is not tried, once.
io::Task<void> WaitingMail::tell_of_delay(std::string destination) {
  const base::Seconds age = tools_.settings.delay_notice;
  if (age == base::Seconds(0)) co_return;
  const queue::Queue::Aged late = queue_.aged(destination, age);
  for (auto at = late.ids.begin(); at != late.ids.end(); ++at) {
    const queue::MessageId id = *at;
    const std::optional<WaitingTogether> why = held_back(destination);
    if (!why || stopping_) {
      queue_.name_again(destination, {at, late.ids.end()});
      look_later(destination, tools_.clock.now());
      co_return;
    }
    auto work = queue_.borrow(id, destination);
    if (!work) continue;
    std::vector<Outcome> outcomes = same_for_all(*work, why->problem, why->host);
    for (Outcome& o : outcomes) o.kind = Outcome::Kind::waiting;
    const base::Time now = tools_.clock.now();
    std::optional<queue::OwnMessage> notice;
    try {
      notice = make_notice(tools_.settings, queue_, *work->message, outcomes, false, now);
    } catch (const std::exception& e) {
      base::log_error("notice_broken", {{"id", id.str()}, {"what", e.what()}});
    }
    if (!notice) {
      queue_.give_back(std::move(*work));
      continue;
    }
    const auto recorded = co_await queue_.record(std::move(*work), std::move(outcomes), std::move(notice));
    if (!recorded)
      base::log_error("notice_not_recorded", {{"id", id.str()}, {"detail", recorded.error().detail}});
  }
  look_later(destination, late.next);
}

void WaitingMail::look_later(const std::string& destination, std::optional<base::Time> next_notice) {
  if (const auto at = queue_.next_expiry(destination)) destinations_.look_again(destination, *at);
  const bool told = tools_.settings.delay_notice > base::Seconds(0);
  if (!next_notice || !told) return;
  destinations_.look_again(destination, std::max(*next_notice, tools_.clock.now() + kLook));
}

io::Task<void> WaitingMail::look(std::string destination) {
  try {
    co_await expire(destination);
    co_await tell_of_delay(destination);
  } catch (const std::exception& e) {
    // A bug or no memory: it is looked at again.
    base::log_error("expiry_broken", {{"destination", destination}, {"what", e.what()}});
  }
}

}  // namespace pinnace::delivery
