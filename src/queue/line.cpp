#include "queue/line.hpp"

#include <algorithm>

namespace pinnace::queue {
namespace {

std::uint64_t length(Priority priority) {
  switch (priority) {
    case Priority::high:
      return 1;
    case Priority::normal:
      return 4;
    case Priority::low:
      break;
  }
  return 16;
}

}  // namespace

// Among equals the oldest first.
bool Line::later(const Place& a, const Place& b) { return a.at != b.at ? a.at > b.at : a.id > b.id; }

void Line::add(Place place) {
  if (places_.empty()) {
    oldest_ = place.id;
    oldest_known_ = true;
  } else {
    oldest_ = std::min(oldest_, place.id);
  }
  places_.push_back(place);
  std::push_heap(places_.begin(), places_.end(), later);
}

void Line::push(MessageId id, Turn turn) {
  const std::uint32_t key =
      static_cast<std::uint32_t>(turn.sender) << 2 | static_cast<std::uint32_t>(turn.priority);
  std::uint64_t& last = last_[key];
  last = std::max(last, now_) + length(turn.priority);
  add({id, last, 0, 0});
  if (last_.size() >= forget_at_) forget_the_served();
}

void Line::push_front(Entry entry) { add({entry.id, 0, entry.forced ? 1U : 0U, 0}); }

std::optional<Line::Entry> Line::pop() {
  if (places_.empty()) return std::nullopt;
  std::pop_heap(places_.begin(), places_.end(), later);
  const Place place = places_.back();
  places_.pop_back();
  now_ = std::max<std::uint64_t>(now_, place.at);
  if (place.id == oldest_) oldest_known_ = false;
  if (places_.empty()) {
    last_.clear();
    places_.shrink_to_fit();
  }
  return Entry{place.id, place.forced != 0};
}

std::size_t Line::promote(MessageId youngest) {
  const auto old = oldest();
  if (!old || *old > youngest) return 0;
  std::size_t promoted = 0;
  for (Place& place : places_) {
    if (place.id > youngest) continue;
    place.at = 0;
    ++promoted;
  }
  std::make_heap(places_.begin(), places_.end(), later);
  return promoted;
}

Line::Seen Line::see(MessageId youngest, std::size_t most) {
  Seen out;
  for (Place& place : places_) {
    if (place.seen) continue;
    if (place.id <= youngest && out.ids.size() < most) {
      place.seen = 1;
      out.ids.push_back(place.id);
    } else {
      out.next = std::min(out.next.value_or(place.id), place.id);
    }
  }
  std::sort(out.ids.begin(), out.ids.end());
  return out;
}

void Line::forget_seen(const std::vector<MessageId>& sorted) {
  for (Place& place : places_) {
    if (place.seen && std::binary_search(sorted.begin(), sorted.end(), place.id)) place.seen = 0;
  }
}

std::optional<MessageId> Line::oldest() const {
  if (places_.empty()) return std::nullopt;
  if (!oldest_known_) {
    oldest_ = std::min_element(places_.begin(), places_.end(), [](const Place& a, const Place& b) {
                return a.id < b.id;
              })->id;
    oldest_known_ = true;
  }
  return oldest_;
}

// Who has nothing behind what is served now begins there anyway.
void Line::forget_the_served() {
  std::erase_if(last_, [this](const auto& entry) { return entry.second <= now_; });
  forget_at_ = std::max<std::size_t>(64, 2 * last_.size());
}

}  // namespace pinnace::queue
