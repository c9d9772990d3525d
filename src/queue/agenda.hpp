// When each message is due, and what is due for each destination. In memory, 20 octets for what waits for
// its time and 16 (in the worst case twice that) for what is due; besides, some 300 for each destination.
// Times are whole seconds, rounded up.
//
// It knows nothing of what became of a message: whoever takes an entry looks whether it still holds.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "queue/line.hpp"

namespace pinnace::queue {

class Agenda {
 public:
  // `on_due` is called for each entry that comes into a destination's line.
  explicit Agenda(std::function<void(const std::string& destination)> on_due) : on_due_(std::move(on_due)) {}

  void add(MessageId id, std::string_view destination, Turn turn, base::Time due, base::Time now);
  void add_front(Line::Entry entry, std::string_view destination);
  // Brings what has come due into its lines, at most `most`; true: there is more.
  bool poll(base::Time now, std::size_t most);
  // All that waits for its time, as an operator forces it.
  std::size_t force_all();

  std::optional<Line::Entry> pop(const std::string& destination);
  std::size_t promote(const std::string& destination, MessageId youngest);               // as Line's
  Line::Seen see(const std::string& destination, MessageId youngest, std::size_t most);  // as Line's
  void forget_seen(const std::string& destination, const std::vector<MessageId>& sorted);
  // Null: nothing is due.
  const Line* line(const std::string& destination) const;
  std::vector<std::string> due_destinations() const;

  std::size_t due() const { return due_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Row {  // packed: a million of them may wait
    std::uint32_t due;
    std::uint32_t id_high, id_low;
    std::uint32_t destination;
    std::uint16_t sender;
    Priority priority;

    MessageId id() const { return {static_cast<std::uint64_t>(id_high) << 32 | id_low}; }
  };
  struct Destination {
    const std::string* name = nullptr;
    Line line;
    std::size_t rows = 0;  // in waiting_
  };
  static_assert(sizeof(Row) == 20);
  static bool later(const Row& a, const Row& b);
  std::uint32_t slot(std::string_view destination);
  void forget_empty();

  std::function<void(const std::string&)> on_due_;
  std::unordered_map<std::string, std::uint32_t> slots_;
  std::vector<std::unique_ptr<Destination>> destinations_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> maybe_empty_;
  std::deque<Row> waiting_;  // a heap; a deque never holds twice what it needs
  std::size_t due_ = 0;
};

}  // namespace pinnace::queue
