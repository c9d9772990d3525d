// What is due for one destination, in the order in which it is to be tried: senders take turns, so that a
// million messages of one do not delay another's single one, and of all that wait a high priority gets
// four times the turns of a normal one, and that four times those of a low one. Nobody starves.
//
// Each entry has a place on a scale: a sender's next stands one turn behind its last one, or behind what is
// served now, whichever is later. 16 octets an entry, and nothing else grows with the line: senders are
// told apart by 16 bits.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "queue/message.hpp"

namespace pinnace::queue {

// Whose turn a message takes.
struct Turn {
  std::uint16_t sender = 0;
  Priority priority = Priority::normal;
};

class Line {
 public:
  struct Entry {
    MessageId id;
    bool forced = false;  // by an operator, whatever the schedule says
  };

  void push(MessageId id, Turn turn);
  // Before all others.
  void push_front(Entry entry);
  std::optional<Entry> pop();
  // Puts those that are no younger before all others, and says how many; slow.
  std::size_t promote(MessageId youngest);
  // Those that are no younger and were not seen by it before, at most `most`; slow.
  struct Seen {
    std::vector<MessageId> ids;
    std::optional<MessageId> next;  // the oldest of those that it has not seen yet
  };
  Seen see(MessageId youngest, std::size_t most);
  // As if it had not seen these of those; slow.
  void forget_seen(const std::vector<MessageId>& sorted);
  // The smallest id; slow where that has just left.
  std::optional<MessageId> oldest() const;

  bool empty() const { return places_.empty(); }
  std::size_t size() const { return places_.size(); }

 private:
  struct Place {
    MessageId id;
    std::uint64_t at : 62;
    std::uint64_t forced : 1;
    std::uint64_t seen : 1;
  };
  static bool later(const Place& a, const Place& b);
  void add(Place place);
  void forget_the_served();

  std::vector<Place> places_;                              // a heap
  std::unordered_map<std::uint32_t, std::uint64_t> last_;  // the last place of each sender and priority
  std::size_t forget_at_ = 64;
  std::uint64_t now_ = 1;  // the place that is served
  mutable MessageId oldest_{};
  mutable bool oldest_known_ = true;
};

}  // namespace pinnace::queue
