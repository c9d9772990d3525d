// The durable queue. A message is in it from the fsync behind its 250 until its last
// recipient is delivered, failed (with a DSN stored in the same commit) or removed.
//
// Metadata lies in the store's `messages`, what the agenda needs of it in `schedule`, bodies as rows of
// `bodies`. In memory there are some twenty octets for each message and destination (agenda.hpp), and the
// message itself only while it is worked on, or fresh. After a restart everything that was under way is due
// again. All of it on the loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <unordered_map>

#include "queue/agenda.hpp"
#include "queue/envelope.hpp"
#include "queue/schedule.hpp"
#include "queue/summary.hpp"
#include "store/database.hpp"

namespace pinnace::queue {

// What is known of a message only at its text's end.
struct BodyFacts {
  bool eight_bit = false;
  bool binary = false;           // BODY=BINARYMIME was said (RFC 3030 3)
  bool tls_required_no = false;  // the header field; where the envelope requires TLS it means nothing
};

// One delivery to do: recipients of one message in one next-hop domain. Whoever took it
// must record() it, or give it back.
struct Work {
  std::shared_ptr<const Message> message;
  std::string domain;
  std::string destination;              // as destination_of()
  std::vector<std::size_t> recipients;  // indexes
  bool in_line = false;                 // it keeps its place there meanwhile
};

struct Outcome {
  enum class Kind {
    delivered,
    deferred,
    failed,
    waiting,  // it was not tried, and nothing changes but `delay_told`
  };
  // Of one that is delivered: who tells its originator, where he asked (RFC 3461 5.2).
  enum class Onward {
    told,     // the next server, which offers DSN
    untold,   // it offers none
    mailbox,  // nobody is behind it: this was the final delivery
  };
  std::size_t recipient = 0;
  Kind kind = Kind::deferred;
  std::string host;
  std::string status;  // "4.7.5"
  std::string reason;
  std::string reply;
  std::string policy;
  Onward onward = Onward::untold;
  bool delay_told = false;               // of one that is deferred or waits: a notice says so
  bool in_turn = false;                  // it waits for a limit: nothing failed
  std::optional<base::Time> not_before;  // of one that is deferred: then, instead of by the schedule
};

// A message made here (a DSN), stored together with what caused it.
struct OwnMessage {
  Envelope envelope;
  std::string text;
  bool body_8bit = false;
};

// What an operator does to messages, of any number, in one commit.
struct Operation {
  enum class Kind { hold, release, requeue, remove, priority };
  Kind kind;
  Priority priority = Priority::normal;  // for Kind::priority
};

struct Operated {
  std::vector<MessageId> changed;
  std::vector<MessageId> busy;  // being delivered right now: try again
};

struct QueueStats {
  std::size_t messages = 0;
  std::size_t held = 0;
  std::size_t due = 0;
};

class Queue {
 public:
  // Reads the schedule back from the store, no messages, and clears what was being received
  // when the process ended. `on_due` is called when `destination` has work to take.
  static base::Result<std::unique_ptr<Queue>> open(
      io::Loop& loop, store::Database& db, const base::Clock& clock, ScheduleSettings settings,
      std::function<void(const std::string& destination)> on_due);
  ~Queue();

  class Writer;
  Writer begin(Envelope envelope);

  // Every destination that has due work now.
  std::vector<std::string> due_destinations() const { return agenda_.due_destinations(); }
  bool has_due(const std::string& destination) const { return !failed() && agenda_.line(destination); }
  // The next due work for a destination; nothing when there is none, or when the store has failed: a delivery
  // whose outcome cannot be kept would be made again after the restart.
  std::optional<Work> take(const std::string& destination);
  // When the first of what is due for a destination is past its lifetime; nothing where nothing is due.
  std::optional<base::Time> next_expiry(const std::string& destination) const;
  // Puts those that are past it before all others, and says how many.
  std::size_t promote_expired(const std::string& destination);
  // What is due for a destination, has been here for `age` and was not named before since it came due; not
  // all of it where it is much. And when the next will have been.
  struct Aged {
    std::vector<MessageId> ids;
    std::optional<base::Time> next;
  };
  Aged aged(const std::string& destination, base::Seconds age);
  // These of them were not dealt with: they are named again.
  void name_again(const std::string& destination, const std::vector<MessageId>& ids) {
    agenda_.forget_seen(destination, ids);
  }
  // One of them as work, which keeps its place in the line. Nothing: it waits no more, or is under way.
  std::optional<Work> borrow(MessageId id, const std::string& destination);
  // Puts work back untried: it is due again at once.
  void give_back(Work work);
  // Makes the outcomes durable in one commit, together with `dsn`. A deferred recipient gets its
  // next attempt from the schedule. Where the store fails, memory still knows: a delivered recipient
  // is not tried again by this process.
  io::Task<base::Result<>> record(Work work, std::vector<Outcome> outcomes, std::optional<OwnMessage> dsn);

  bool expired(const Message& message) const {
    return lifetime_over(message.arrived, clock_.now(), settings_);
  }
  const ScheduleSettings& schedule() const { return settings_; }

  // Row n of a body; the caller walks 0 to message.chunks - 1. Blocks for a disk read at worst.
  base::Result<std::string> body_chunk(const Message& message, std::uint32_t n) const;

  // Makes ready what has come due by the clock, a bounded part at a time; true: there is more. Called once a
  // second by the queue itself.
  bool poll();

  // For operators. `list` gives at most `limit` messages behind `after`, in order of arrival, and ends with
  // the one that makes it kListedRecipients or more.
  static constexpr std::size_t kListedRecipients = 10'000;
  base::Result<std::vector<Message>> list(MessageId after, std::size_t limit) const;
  base::Result<std::optional<Message>> find(MessageId id) const;
  // Makes waiting recipients due now, before others; false: no such message, or it is held.
  base::Result<bool> retry(MessageId id);
  std::size_t retry_all();
  // Drops the message with no DSN. Error "queue.busy" while a delivery is under way.
  io::Task<base::Result<bool>> remove(MessageId id);
  // Durable when it returns well. What is not in the queue is left out, and so is what is as it shall be.
  // Nothing of a held message is tried, and its lifetime goes on; requeue makes it as if it had just come,
  // except for its lifetime; remove drops it with no DSN.
  io::Task<base::Result<Operated>> operate(Operation operation, std::vector<MessageId> ids);
  QueueStats stats() const;
  // Nothing more can be taken or kept until the service is started anew.
  bool failed() const { return db_.failed().has_value(); }
  // On disk, for new messages.
  bool has_room() { return db_.has_room(); }

 private:
  struct Active {  // worked on, or fresh
    // While an operator changes a message it is leased in this name, so that nobody reads or tries what is on
    // disk meanwhile.
    static constexpr const char* kOperator = "";

    std::shared_ptr<Message> message;
    std::shared_ptr<const std::string> body;  // a fresh small body
    std::vector<std::string> leased;          // destinations under way
    bool passed = false;                      // its place in a line was passed by meanwhile

    bool leases(std::string_view destination) const;
  };

  Queue(io::Loop& loop, store::Database& db, const base::Clock& clock, ScheduleSettings settings,
        std::function<void(const std::string&)> on_due);
  base::Result<> load();
  base::Result<> summarize_all();
  base::Result<> load_turn_key();
  MessageId new_id();
  base::Time now();
  bool has_come(base::Time due);
  static Turn turn_of(const Summary& summary);
  void enter(MessageId id, const Summary& summary);
  void put(store::Batch& batch, const Message& message, const Summary& summary) const;
  void keep_fresh(std::shared_ptr<Message> message, std::shared_ptr<const std::string> body);
  base::Result<std::shared_ptr<Message>> read(MessageId id) const;
  base::Result<std::optional<Work>> lease(Line::Entry entry, const std::string& destination);
  bool let_go(MessageId id, const std::string& destination);
  void drop(std::unordered_map<std::uint64_t, Active>::iterator active);
  void apply(Message& message, const Outcome& outcome);
  void erase(store::Batch& batch, const Message& message) const;
  std::shared_ptr<Message> add_own(store::Batch& batch, const OwnMessage& own);
  io::Task<void> watch_clock();

  io::Loop& loop_;
  store::Database& db_;
  const base::Clock& clock_;
  ScheduleSettings settings_;
  io::Timer timer_;
  std::mt19937_64 random_;
  base::SipKey turn_key_{};  // of senders' hashes; kept in the store, as those are
  std::uint64_t last_id_ = 0;
  base::Time latest_{};  // that the clock has shown
  Agenda agenda_;
  std::unordered_map<std::uint64_t, Active> active_;
  std::deque<MessageId> fresh_;  // in order of arrival; some have gone
  std::size_t cached_ = 0;       // octets of fresh messages
  std::size_t messages_ = 0;
  std::size_t held_ = 0;  // of them
};

// Takes one message in. What is not committed leaves no trace.
class Queue::Writer {
 public:
  Writer(Queue& queue, Envelope envelope);
  Writer(Writer&&) noexcept = default;
  ~Writer();

  // Holds at most one row (64 KiB) in memory; more goes to the store as it comes.
  io::Task<base::Result<>> append(std::string_view octets);
  // Durable when it returns well. Errors: the store's ("store.full", "store.failed").
  io::Task<base::Result<MessageId>> commit(BodyFacts facts);
  MessageId id() const { return message_->id; }
  std::uint64_t size() const { return message_->size; }

 private:
  io::Task<base::Result<>> flush();

  Queue* queue_;
  std::shared_ptr<Message> message_;
  std::string row_;
  bool committed_ = false;
};

}  // namespace pinnace::queue
