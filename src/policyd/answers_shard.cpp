#include "policyd/answers_shard.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pinnace::policyd {
Moment to_moment(base::Time at) {
  const auto seconds = std::chrono::floor<base::Seconds>(at).time_since_epoch().count();
  return static_cast<Moment>(std::clamp<std::int64_t>(seconds, 0, kNever - 1));
}

base::Time to_time(Moment at) { return base::Time(base::Seconds(at)); }

std::uint32_t AnswersShard::look_up(const Key& key) const {
  return index_.find(key.hash, [&](std::uint32_t number) {
    const Entry& e = entries_[number];
    return e.hash == key.hash && e.profile == key.profile && e.domain() == key.domain;
  });
}

bool AnswersShard::find(const Key& key, Moment now, std::string& out) {
  const std::uint32_t number = look_up(key);
  if (number == kNone) return false;
  Entry& e = entries_[number];
  if (e.usable <= now) return false;
  e.flags |= kAsked | kUsed;
  e.asked = now;
  if (e.flags & kSleeping) {
    e.flags &= static_cast<std::uint8_t>(~kSleeping);
    await(number);
  }
  out.append(texts_[e.text]);
  return true;
}

bool AnswersShard::put(const Key& key, const Answer& answer) {
  Entry added;
  added.asked = std::max(erase(key), to_moment(answer.asked));
  added.text = texts_.take(answer.reply);
  if (!make_room(cost(key.domain.size()))) {
    texts_.drop(added.text);
    return false;
  }
  added.hash = key.hash;
  added.refresh = to_moment(answer.refresh);
  added.usable = to_moment(answer.usable);
  added.profile = key.profile;
  added.flags = answer.kept ? kKept : 0;
  added.size = static_cast<std::uint16_t>(key.domain.size());
  added.name = std::make_unique_for_overwrite<char[]>(key.domain.size());
  std::memcpy(added.name.get(), key.domain.data(), key.domain.size());
  const std::uint32_t number = entries_.add(std::move(added));
  index_.insert(key.hash, number, hash_of());
  octets_ += cost(key.domain.size());
  if (!answer.kept) enqueue(number);
  await(number);
  return true;
}

Moment AnswersShard::erase(const Key& key) {
  const std::uint32_t number = look_up(key);
  if (number == kNone) return 0;
  const Moment asked = entries_[number].asked;
  remove(number);
  return asked;
}

void AnswersShard::clear() {
  for (std::uint32_t number = 0; number < entries_.end(); ++number) {
    if (entries_[number].text != kNone) remove(number);
  }
}

void AnswersShard::remove(std::uint32_t number) {
  Entry& e = entries_[number];
  if (!(e.flags & kKept)) dequeue(number);
  if (e.place != kNone) forget_time(number);
  texts_.drop(e.text);
  octets_ -= cost(e.size);
  index_.erase(number, hash_of());
  entries_.remove(number);
}

void AnswersShard::drop_old(Moment now, std::uint32_t looks) {
  for (looks = std::min(looks, entries_.end()); looks > 0; --looks) {
    if (hand_ >= entries_.end()) hand_ = 0;
    const Entry& e = entries_[hand_];
    if (e.text != kNone && e.usable <= now) remove(hand_);
    ++hand_;
  }
}

// Eviction: first in, first out, with a second chance for those that were asked for meanwhile. Chances are
// bounded, so that one put never goes through them all.
bool AnswersShard::make_room(std::size_t wanted) {
  constexpr int kMostChances = 64;
  int chances = 0;
  while (octets() + wanted > most_) {
    const std::uint32_t number = oldest_;
    if (number == kNone) return false;
    Entry& e = entries_[number];
    if ((e.flags & kUsed) && chances < kMostChances) {
      ++chances;
      e.flags &= static_cast<std::uint8_t>(~kUsed);
      dequeue(number);
      enqueue(number);
      continue;
    }
    remove(number);
    ++evicted_;
  }
  return true;
}

void AnswersShard::enqueue(std::uint32_t number) {
  Entry& e = entries_[number];
  e.before = newest_;
  e.after = kNone;
  (newest_ == kNone ? oldest_ : entries_[newest_].after) = number;
  newest_ = number;
}

void AnswersShard::dequeue(std::uint32_t number) {
  const Entry& e = entries_[number];
  (e.before == kNone ? oldest_ : entries_[e.before].after) = e.after;
  (e.after == kNone ? newest_ : entries_[e.after].before) = e.before;
}

Moment AnswersShard::first() const { return times_.empty() ? kNever : entries_[times_.front()].refresh; }

bool AnswersShard::take_first(Moment now, Answers::Due& out) {
  const std::uint32_t number = times_.front();
  forget_time(number);
  Entry& e = entries_[number];
  if ((e.flags & kKept) && now >= e.asked && now - e.asked > kWanted.count()) {
    e.flags &= static_cast<std::uint8_t>(~kKept);
    enqueue(number);
  }
  if (!(e.flags & (kAsked | kKept))) {
    e.flags |= kSleeping;
    return false;
  }
  out = {e.profile, std::string(e.domain()), to_time(e.asked)};
  return true;
}

void AnswersShard::await(std::uint32_t number) {
  const auto place = static_cast<std::uint32_t>(times_.size());
  times_.push_back(number);
  entries_[number].place = place;
  sift_up(place);
}

void AnswersShard::forget_time(std::uint32_t number) {
  const std::uint32_t place = std::exchange(entries_[number].place, kNone);
  const std::uint32_t last = times_.back();
  times_.pop_back();
  if (last == number) return;
  set_place(place, last);
  sift_up(place);
  sift_down(entries_[last].place);
}

void AnswersShard::set_place(std::uint32_t place, std::uint32_t number) {
  times_[place] = number;
  entries_[number].place = place;
}

void AnswersShard::sift_up(std::uint32_t place) {
  const std::uint32_t number = times_[place];
  const Moment at = entries_[number].refresh;
  while (place > 0) {
    const std::uint32_t above = (place - 1) / 2;
    if (entries_[times_[above]].refresh <= at) break;
    set_place(place, times_[above]);
    place = above;
  }
  set_place(place, number);
}

void AnswersShard::sift_down(std::uint32_t place) {
  const std::uint32_t number = times_[place];
  const Moment at = entries_[number].refresh;
  for (;;) {
    std::uint32_t below = 2 * place + 1;
    if (below >= times_.size()) break;
    if (below + 1 < times_.size() && entries_[times_[below + 1]].refresh < entries_[times_[below]].refresh) {
      ++below;
    }
    if (at <= entries_[times_[below]].refresh) break;
    set_place(place, times_[below]);
    place = below;
  }
  set_place(place, number);
}

}  // namespace pinnace::policyd
