#include "queue/queue.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "queue/body_rows.hpp"

namespace pinnace::queue {
namespace {

using store::Table;

// Messages just accepted, which delivery will want at once; more than this is read back.
constexpr std::size_t kFreshBytes = 16 << 20;
constexpr std::size_t kFreshMessage = 1 << 10;  // what one takes beside its body, about

// So many come due in one go, so that the loop goes on.
constexpr std::size_t kDueAtOnce = 20'000;

// There once `schedule` has a row of each message; a store of before the table lacks it.
constexpr std::string_view kSummarized = "summarized";
constexpr std::string_view kTurnKey = "turn_key";

}  // namespace

Queue::Queue(io::Loop& loop, store::Database& db, const base::Clock& clock, ScheduleSettings settings,
             std::function<void(const std::string&)> on_due)
    : loop_(loop),
      db_(db),
      clock_(clock),
      settings_(settings),
      timer_(loop),
      random_(std::random_device{}()),
      agenda_(std::move(on_due)) {}

Queue::~Queue() = default;

base::Result<std::unique_ptr<Queue>> Queue::open(io::Loop& loop, store::Database& db,
                                                 const base::Clock& clock, ScheduleSettings settings,
                                                 std::function<void(const std::string&)> on_due) {
  std::unique_ptr<Queue> queue(new Queue(loop, db, clock, settings, std::move(on_due)));
  if (auto loaded = queue->load(); !loaded) return std::unexpected(loaded.error());
  loop.spawn(queue->watch_clock());
  return queue;
}

namespace {

// An id holds the time of arrival (new_id).
base::Time arrival_of(MessageId id) {
  return base::Time(base::Milliseconds(static_cast<std::int64_t>(id.value >> 12)));
}
std::uint64_t last_of(base::Time arrived) {
  return (static_cast<std::uint64_t>(arrived.time_since_epoch().count()) << 12) | 0xfff;
}

std::uint64_t id_of_key(std::string_view key) {
  std::uint64_t v = 0;
  for (const char c : key) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

}  // namespace

// Of 16 octets. A store that has none is given one.
base::Result<> Queue::load_turn_key() {
  auto kept = db_.get(Table::meta, kTurnKey);
  if (!kept) return std::unexpected(kept.error());
  if (*kept && (*kept)->size() == MessageId{}.key().size() * 2) {
    turn_key_ = {id_of_key((*kept)->substr(0, 8)), id_of_key((*kept)->substr(8))};
    return {};
  }
  std::random_device random;
  for (std::uint64_t& half : turn_key_) half = static_cast<std::uint64_t>(random()) << 32 | random();
  store::Batch batch = db_.batch();
  batch.put(Table::meta, kTurnKey, MessageId{turn_key_[0]}.key() + MessageId{turn_key_[1]}.key());
  return db_.commit_at_start(std::move(batch));
}

base::Result<> Queue::load() {
  if (auto done = load_turn_key(); !done) return done;
  auto summarized = db_.get(Table::meta, kSummarized);
  if (!summarized) return std::unexpected(summarized.error());
  if (!*summarized) {
    if (auto done = summarize_all(); !done) return done;
  }
  base::Result<> result;
  const auto scanned = db_.scan(Table::schedule, "", [&](std::string_view key, std::string_view record) {
    const MessageId id{id_of_key(key)};
    const auto summary = Summary::decode(id, record);
    if (!summary) {
      result = std::unexpected(summary.error());
      return false;
    }
    last_id_ = id.value;
    ++messages_;
    held_ += summary->held ? 1 : 0;
    enter(id, *summary);
    return true;
  });
  if (!scanned) return scanned;
  if (!result) return result;
  const std::string prefix(kReceiving);
  return db_.scan(Table::meta, prefix, [&](std::string_view key, std::string_view) {
    const MessageId id{id_of_key(key.substr(prefix.size()))};
    last_id_ = std::max(last_id_, id.value);
    loop_.spawn(clear_rows(&db_, id));
    return true;
  });
}

// Brings a store of before `schedule` up to date. Broken off, it is done again.
base::Result<> Queue::summarize_all() {
  constexpr std::size_t kTogether = 1000;
  base::Result<> result;
  store::Batch batch = db_.batch();
  std::size_t pending = 0;
  const auto flush = [&] {
    result = db_.commit_at_start(std::exchange(batch, db_.batch()));
    pending = 0;
  };
  const auto scanned = db_.scan(Table::messages, "", [&](std::string_view key, std::string_view record) {
    const auto message = Message::decode(MessageId{id_of_key(key)}, record);
    if (!message) {
      result = std::unexpected(message.error());
      return false;
    }
    batch.put(Table::schedule, key, Summary::of(*message, turn_key_).encode());
    if (++pending == kTogether) flush();
    return result.has_value();
  });
  if (!scanned) return scanned;
  if (!result) return result;
  batch.put(Table::meta, kSummarized, "");
  flush();
  return result;
}

MessageId Queue::new_id() {
  const auto ms = static_cast<std::uint64_t>(clock_.now().time_since_epoch().count());
  last_id_ = std::max(last_id_ + 1, ms << 12);
  return MessageId{last_id_};
}

base::Time Queue::now() {
  const base::Time now = clock_.now();
  latest_ = std::max(latest_, now);
  return now;
}

// Never undone by a clock that is set back: an entry that was taken out as due must hold.
bool Queue::has_come(base::Time due) { return due <= std::max(now(), latest_); }

Turn Queue::turn_of(const Summary& summary) {
  const std::uint32_t folded = summary.sender ^ summary.sender >> 16;
  return {static_cast<std::uint16_t>(folded), summary.priority};
}

// Takes a durable message into the agenda.
void Queue::enter(MessageId id, const Summary& summary) {
  if (summary.held) return;
  const base::Time at = now();
  for (const Summary::Waiting& w : summary.waiting) {
    agenda_.add(id, w.destination, turn_of(summary), w.due, at);
  }
}

void Queue::put(store::Batch& batch, const Message& message, const Summary& summary) const {
  batch.put(Table::messages, message.id.key(), message.encode());
  batch.put(Table::schedule, message.id.key(), summary.encode());
}

// The oldest make room for it.
void Queue::keep_fresh(std::shared_ptr<Message> message, std::shared_ptr<const std::string> body) {
  if (!body) return;
  cached_ += body->size() + kFreshMessage;
  fresh_.push_back(message->id);
  Active& active = active_[message->id.value];
  active.message = std::move(message);
  active.body = std::move(body);
  while (cached_ > kFreshBytes || fresh_.size() > kFreshBytes / kFreshMessage) {
    const auto old = active_.find(fresh_.front().value);
    fresh_.pop_front();
    if (old != active_.end() && old->second.leased.empty()) drop(old);
  }
}

void Queue::drop(std::unordered_map<std::uint64_t, Active>::iterator active) {
  if (active->second.body) cached_ -= active->second.body->size() + kFreshMessage;
  active_.erase(active);
}

bool Queue::poll() { return agenda_.poll(now(), kDueAtOnce); }

io::Task<void> Queue::watch_clock() {
  constexpr base::Milliseconds kSoon{10};
  base::Milliseconds pause = std::chrono::seconds(1);
  bool elapsed = true;
  while (elapsed) {
    elapsed = co_await timer_.wait(pause);
    pause = poll() ? kSoon : std::chrono::seconds(1);
  }
}

// Null: it is not in the queue.
base::Result<std::shared_ptr<Message>> Queue::read(MessageId id) const {
  const auto active = active_.find(id.value);
  if (active != active_.end()) return active->second.message;
  auto record = db_.get(Table::messages, id.key());
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::shared_ptr<Message>();
  auto message = Message::decode(id, **record);
  if (!message) return std::unexpected(message.error());
  return std::make_shared<Message>(std::move(*message));
}

bool Queue::Active::leases(std::string_view destination) const {
  return std::find(leased.begin(), leased.end(), destination) != leased.end();
}

// Nothing: the entry no longer holds. The message is gone or held, is under way, or was tried meanwhile.
base::Result<std::optional<Work>> Queue::lease(Line::Entry entry, const std::string& destination) {
  auto message = read(entry.id);
  if (!message) return std::unexpected(message.error());
  if (!*message || (*message)->held) return std::optional<Work>();
  const auto active = active_.find(entry.id.value);
  const bool taken = active != active_.end() &&
                     (active->second.leases(destination) || active->second.leases(Active::kOperator));
  if (taken) return std::optional<Work>();
  Work work{*message, domain_of(destination), destination, {}, false};
  base::Time due = base::Time::max();
  for (std::size_t i = 0; i < work.message->recipients.size(); ++i) {
    const Recipient& r = work.message->recipients[i];
    if (r.state != RecipientState::waiting || next_hop(r.address) != work.domain) continue;
    work.recipients.push_back(i);
    due = std::min(due, r.next_attempt);
  }
  if (work.recipients.empty() || (!entry.forced && !has_come(due))) return std::optional<Work>();
  Active& mine = active_[entry.id.value];
  mine.message = std::move(*message);
  mine.leased.push_back(destination);
  return std::optional<Work>(std::move(work));
}

std::optional<Work> Queue::take(const std::string& destination) {
  if (failed()) return std::nullopt;
  while (const auto entry = agenda_.pop(destination)) {
    auto work = lease(*entry, destination);
    if (work && *work) return std::move(*work);
    if (const auto active = active_.find(entry->id.value); active != active_.end())
      active->second.passed = true;
    if (work) continue;
    base::log_error("queue_read_failed", {{"id", entry->id.str()}, {"detail", work.error().detail}});
    agenda_.add(entry->id, destination, Turn{}, now() + settings_.retry_initial, now());
  }
  return std::nullopt;
}

std::optional<base::Time> Queue::next_expiry(const std::string& destination) const {
  const Line* line = agenda_.line(destination);
  const auto oldest = line ? line->oldest() : std::nullopt;
  if (!oldest) return std::nullopt;
  return arrival_of(*oldest) + settings_.lifetime;
}

std::size_t Queue::promote_expired(const std::string& destination) {
  const base::Time arrived = clock_.now() - settings_.lifetime;
  return agenda_.promote(destination, {last_of(arrived)});
}

Queue::Aged Queue::aged(const std::string& destination, base::Seconds age) {
  constexpr std::size_t kTogether = 1000;
  Line::Seen seen = agenda_.see(destination, {last_of(clock_.now() - age)}, kTogether);
  Aged out{std::move(seen.ids), {}};
  if (seen.next) out.next = arrival_of(*seen.next) + age;
  return out;
}

std::optional<Work> Queue::borrow(MessageId id, const std::string& destination) {
  if (failed()) return std::nullopt;
  auto work = lease({id, true}, destination);
  if (!work || !*work) return std::nullopt;
  (*work)->in_line = true;
  return std::move(*work);
}

void Queue::give_back(Work work) {
  const MessageId id = work.message->id;
  const bool passed = let_go(id, work.destination);
  if (work.in_line && !passed) return;
  agenda_.add_front({id, true}, work.destination);
}

void Queue::apply(Message& message, const Outcome& outcome) {
  Recipient& r = message.recipients.at(outcome.recipient);
  if (outcome.kind == Outcome::Kind::waiting) {
    r.delay_told = r.delay_told || outcome.delay_told;
    return;
  }
  const base::Time now = clock_.now();
  ++r.attempts;
  r.last_attempt = now;
  r.host = outcome.host;
  r.status = outcome.status;
  r.reason = outcome.reason.substr(0, Recipient::kMaxText);
  r.reply = outcome.reply.substr(0, Recipient::kMaxText);
  r.policy = outcome.policy.substr(0, Recipient::kMaxText);
  r.delay_told = r.delay_told || outcome.delay_told;
  switch (outcome.kind) {
    case Outcome::Kind::delivered:
      r.state = RecipientState::delivered;
      break;
    case Outcome::Kind::failed:
      r.state = RecipientState::failed;
      break;
    case Outcome::Kind::waiting:
      break;
    case Outcome::Kind::deferred: {
      const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
      const base::Time next = outcome.not_before.value_or(now + retry_pause(r.attempts, settings_, random));
      // The last attempt is at the end of the lifetime, not hours past it.
      r.next_attempt = std::min(next, std::max(message.arrived + settings_.lifetime, now + base::Seconds(1)));
      break;
    }
  }
}

void Queue::erase(store::Batch& batch, const Message& message) const {
  batch.erase(Table::messages, message.id.key());
  batch.erase(Table::schedule, message.id.key());
  for (std::uint32_t n = 0; n < message.chunks; ++n) batch.erase_once(Table::bodies, row_key(message.id, n));
}

std::shared_ptr<Message> Queue::add_own(store::Batch& batch, const OwnMessage& own) {
  auto message = make_message(new_id(), clock_.now(), own.envelope);
  message->body_8bit = own.body_8bit;
  message->size = own.text.size();
  message->chunks = 1;
  batch.put(Table::bodies, row_key(message->id, 0), own.text);
  put(batch, *message, Summary::of(*message, turn_key_));
  return message;
}

// Forgets the message in memory once nobody works on it. True: its place in a line was passed by meanwhile.
bool Queue::let_go(MessageId id, const std::string& destination) {
  const auto active = active_.find(id.value);
  if (active == active_.end()) return false;
  const bool passed = active->second.passed;
  std::erase(active->second.leased, destination);
  if (active->second.leased.empty()) drop(active);
  return passed;
}

io::Task<base::Result<>> Queue::record(Work work, std::vector<Outcome> outcomes,
                                       std::optional<OwnMessage> dsn) {
  const MessageId id = work.message->id;
  // Kept alive by the lease.
  Message& message = *active_.at(id.value).message;
  for (const Outcome& outcome : outcomes) apply(message, outcome);
  Summary summary = Summary::of(message, turn_key_);
  store::Batch batch = db_.batch();
  if (summary.waiting.empty()) {
    erase(batch, message);
    --messages_;
    held_ -= message.held ? 1 : 0;
  } else {
    put(batch, message, summary);
  }
  std::shared_ptr<Message> own;
  if (dsn) own = add_own(batch, *dsn);
  auto done = co_await db_.commit(std::move(batch), store::Durability::synced, store::Purpose::removes);

  std::erase_if(summary.waiting, [&](const auto& w) { return w.destination != work.destination; });
  summary.held = message.held;
  const bool passed = let_go(id, work.destination);
  if (!work.in_line || passed) enter(id, summary);
  if (done && own) {
    ++messages_;
    enter(own->id, Summary::of(*own, turn_key_));
  }
  co_return done;
}

base::Result<std::string> Queue::body_chunk(const Message& message, std::uint32_t n) const {
  const auto active = active_.find(message.id.value);
  if (active != active_.end() && active->second.body && n == 0) return *active->second.body;
  auto row = db_.get(Table::bodies, row_key(message.id, n));
  if (!row) return std::unexpected(row.error());
  if (!*row) {
    return base::fail("queue.body",
                      fmt::format("row {} of message {} is missing from the store", n, message.id.str()));
  }
  return std::move(**row);
}

base::Result<std::vector<Message>> Queue::list(MessageId after, std::size_t limit) const {
  std::vector<Message> out;
  std::size_t recipients = 0;
  base::Result<> result;
  const auto one = [&](std::string_view key, std::string_view record) {
    if (out.size() == limit || recipients >= kListedRecipients) return false;
    auto message = Message::decode(MessageId{id_of_key(key)}, record);
    if (message) {
      recipients += message->recipients.size();
      out.push_back(std::move(*message));
    } else {
      result = std::unexpected(message.error());
    }
    return result.has_value();
  };
  if (auto read = db_.scan_from(Table::messages, MessageId{after.value + 1}.key(), one); !read)
    return std::unexpected(read.error());
  if (!result) return std::unexpected(result.error());
  return out;
}

base::Result<std::optional<Message>> Queue::find(MessageId id) const {
  const auto message = read(id);
  if (!message) return std::unexpected(message.error());
  return *message ? std::optional<Message>(**message) : std::nullopt;
}

QueueStats Queue::stats() const { return {messages_, held_, agenda_.due()}; }

Queue::Writer Queue::begin(Envelope envelope) { return Writer(*this, std::move(envelope)); }

}  // namespace pinnace::queue
