#include "queue/queue.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace pinnace::queue {
namespace {

using store::Table;

// Bodies just accepted that delivery will want at once; more than this is read back.
constexpr std::size_t kFreshBytes = 16 << 20;

std::string row_key(MessageId id, std::uint32_t n) {
  std::string key = id.key();
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(n >> shift & 255);
  return key;
}

// Marks rows of a message that is still being received, so that a restart finds them.
std::string receiving_key(MessageId id) { return "receiving/" + id.key(); }

void erase_rows(store::Batch& batch, MessageId id) {
  batch.erase_range(Table::bodies, id.key(), MessageId{id.value + 1}.key());
}

std::shared_ptr<Message> make_message(MessageId id, base::Time now, const Envelope& envelope) {
  auto message = std::make_shared<Message>();
  message->id = id;
  message->reverse_path = envelope.reverse_path;
  message->smtputf8 = envelope.smtputf8;
  message->tls_wish = envelope.tls_wish;
  message->client = envelope.client;
  message->envid = envelope.envid;
  message->ret = envelope.ret;
  message->priority = envelope.priority;
  message->route = envelope.route;
  message->arrived = now;
  for (const EnvelopeRecipient& to : envelope.recipients) {
    Recipient recipient;
    recipient.address = to.address;
    recipient.notify = to.notify;
    recipient.orcpt = to.orcpt;
    recipient.next_attempt = now;
    message->recipients.push_back(std::move(recipient));
  }
  return message;
}

}  // namespace

Queue::Queue(io::Loop& loop, store::Database& db, const base::Clock& clock, ScheduleSettings settings,
             std::function<void(const std::string&)> on_due)
    : loop_(loop),
      db_(db),
      clock_(clock),
      settings_(settings),
      on_due_(std::move(on_due)),
      timer_(loop),
      random_(std::random_device{}()) {}

Queue::~Queue() = default;

base::Result<std::unique_ptr<Queue>> Queue::open(io::Loop& loop, store::Database& db,
                                                 const base::Clock& clock, ScheduleSettings settings,
                                                 std::function<void(const std::string& domain)> on_due) {
  std::unique_ptr<Queue> queue(new Queue(loop, db, clock, settings, std::move(on_due)));
  if (auto loaded = queue->load(); !loaded) return std::unexpected(loaded.error());
  loop.spawn(queue->watch_clock());
  return queue;
}

namespace {

io::Task<void> clear_rows(store::Database* db, MessageId id) {
  store::Batch batch = db->batch();
  erase_rows(batch, id);
  batch.erase(Table::meta, receiving_key(id));
  const auto done =
      co_await db->commit(std::move(batch), store::Durability::buffered, store::Purpose::removes);
  if (!done) base::log_warning("queue_clear_failed", {{"id", id.str()}, {"detail", done.error().detail}});
}

std::uint64_t id_of_key(std::string_view key) {
  std::uint64_t v = 0;
  for (const char c : key) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

}  // namespace

base::Result<> Queue::load() {
  base::Result<> result;
  const auto scanned = db_.scan(Table::messages, "", [&](std::string_view key, std::string_view record) {
    auto message = Message::decode(MessageId{id_of_key(key)}, record);
    if (!message) {
      result = std::unexpected(message.error());
      return false;
    }
    last_id_ = message->id.value;
    add(std::make_shared<Message>(std::move(*message)), nullptr);
    return true;
  });
  if (!scanned) return scanned;
  if (!result) return result;
  const std::string prefix = "receiving/";
  return db_.scan(Table::meta, prefix, [&](std::string_view key, std::string_view) {
    const MessageId id{id_of_key(key.substr(prefix.size()))};
    last_id_ = std::max(last_id_, id.value);
    loop_.spawn(clear_rows(&db_, id));
    return true;
  });
}

MessageId Queue::new_id() {
  const auto ms = static_cast<std::uint64_t>(clock_.now().time_since_epoch().count());
  last_id_ = std::max(last_id_ + 1, ms << 12);
  return MessageId{last_id_};
}

const std::string* Queue::intern(const std::string& domain) { return &*domains_.insert(domain).first; }

// Takes a durable message into the index.
void Queue::add(std::shared_ptr<Message> message, std::shared_ptr<const std::string> body) {
  Entry& entry = entries_[message->id.value];
  if (body && cached_ + body->size() <= kFreshBytes) {
    cached_ += body->size();
    entry.body = std::move(body);
    entry.message = message;
  }
  for (const Recipient& r : message->recipients) {
    if (r.state != RecipientState::waiting) continue;
    Item& item = entry.items[intern(next_hop(r.address))];
    item.due = item.due == base::Time{} ? r.next_attempt : std::min(item.due, r.next_attempt);
  }
  for (auto& [domain, item] : entry.items) schedule_item(message->id, domain, item, item.due);
}

void Queue::schedule_item(MessageId id, const std::string* domain, Item& item, base::Time due) {
  item.due = due;
  if (due <= clock_.now()) {
    make_ready(id, domain, item);
  } else {
    waiting_.insert({due, id, domain});
  }
}

void Queue::make_ready(MessageId id, const std::string* domain, Item& item) {
  item.ready = true;
  ready_[domain].push_back(id);
  if (on_due_) on_due_(*domain);
}

void Queue::poll() {
  const base::Time now = clock_.now();
  while (!waiting_.empty() && waiting_.begin()->at <= now) {
    const Due due = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    make_ready(due.id, due.domain, entries_.at(due.id.value).items.at(due.domain));
  }
}

io::Task<void> Queue::watch_clock() {
  bool elapsed = true;
  while (elapsed) {
    elapsed = co_await timer_.wait(std::chrono::seconds(1));
    poll();
  }
}

base::Result<std::shared_ptr<Message>> Queue::message_of(MessageId id, Entry& entry) {
  if (entry.message) return entry.message;
  auto record = db_.get(Table::messages, id.key());
  if (!record) return std::unexpected(record.error());
  if (!*record) return base::fail("queue.record", "queue record " + id.str() + " is missing from the store");
  auto message = Message::decode(id, **record);
  if (!message) return std::unexpected(message.error());
  entry.message = std::make_shared<Message>(std::move(*message));
  return entry.message;
}

std::vector<std::string> Queue::due_domains() const {
  std::vector<std::string> out;
  for (const auto& [domain, line] : ready_) out.push_back(*domain);
  return out;
}

std::optional<Work> Queue::take(const std::string& domain) {
  if (failed()) return std::nullopt;
  const auto name = domains_.find(domain);
  if (name == domains_.end()) return std::nullopt;
  const auto line = ready_.find(&*name);
  while (line != ready_.end() && !line->second.empty()) {
    const MessageId id = line->second.front();
    line->second.pop_front();
    const auto entry = entries_.find(id.value);
    if (entry == entries_.end()) continue;  // removed meanwhile
    const auto item = entry->second.items.find(&*name);
    if (item == entry->second.items.end() || !item->second.ready) continue;
    item->second.ready = false;
    auto message = message_of(id, entry->second);
    if (!message) {
      base::log_error("queue_read_failed", {{"id", id.str()}, {"detail", message.error().detail}});
      schedule_item(id, &*name, item->second, clock_.now() + settings_.retry_initial);
      continue;
    }
    Work work{*message, domain, {}};
    for (std::size_t i = 0; i < (*message)->recipients.size(); ++i) {
      const Recipient& r = (*message)->recipients[i];
      if (r.state == RecipientState::waiting && next_hop(r.address) == domain) work.recipients.push_back(i);
    }
    item->second.leased = true;
    return work;
  }
  if (line != ready_.end()) ready_.erase(line);
  return std::nullopt;
}

void Queue::give_back(Work work) {
  const auto entry = entries_.find(work.message->id.value);
  if (entry == entries_.end()) return;
  const std::string* domain = intern(work.domain);
  Item& item = entry->second.items.at(domain);
  item.leased = false;
  item.ready = true;
  ready_[domain].push_front(work.message->id);
}

void Queue::apply(Message& message, const Outcome& outcome) {
  Recipient& r = message.recipients.at(outcome.recipient);
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
    case Outcome::Kind::deferred: {
      const double random = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
      // The last attempt is at the end of the lifetime, not hours past it.
      r.next_attempt = std::min(now + retry_pause(r.attempts, settings_, random),
                                std::max(message.arrived + settings_.lifetime, now + base::Seconds(1)));
      break;
    }
  }
}

void Queue::erase(store::Batch& batch, const Message& message) const {
  batch.erase(Table::messages, message.id.key());
  for (std::uint32_t n = 0; n < message.chunks; ++n) batch.erase_once(Table::bodies, row_key(message.id, n));
}

std::shared_ptr<Message> Queue::add_own(store::Batch& batch, const OwnMessage& own) {
  auto message = make_message(new_id(), clock_.now(), own.envelope);
  message->body_8bit = own.body_8bit;
  message->size = own.text.size();
  message->chunks = 1;
  batch.put(Table::bodies, row_key(message->id, 0), own.text);
  batch.put(Table::messages, message->id.key(), message->encode());
  return message;
}

void Queue::drop_body(Entry& entry) {
  if (entry.body) cached_ -= entry.body->size();
  entry.body.reset();
}

// Forgets the message in memory once nobody works on it.
void Queue::let_go(MessageId id, Entry& entry) {
  const bool leased =
      std::any_of(entry.items.begin(), entry.items.end(), [](auto& i) { return i.second.leased; });
  if (leased) return;
  drop_body(entry);
  entry.message.reset();
  if (entry.items.empty()) entries_.erase(id.value);
}

io::Task<base::Result<>> Queue::record(Work work, std::vector<Outcome> outcomes,
                                       std::optional<OwnMessage> dsn) {
  const MessageId id = work.message->id;
  Message& message = *entries_.at(id.value).message;
  for (const Outcome& outcome : outcomes) apply(message, outcome);
  const bool ended = std::none_of(message.recipients.begin(), message.recipients.end(),
                                  [](const Recipient& r) { return r.state == RecipientState::waiting; });
  store::Batch batch = db_.batch();
  if (ended) {
    erase(batch, message);
  } else {
    batch.put(Table::messages, id.key(), message.encode());
  }
  std::shared_ptr<Message> own;
  if (dsn) own = add_own(batch, *dsn);
  auto done = co_await db_.commit(std::move(batch), store::Durability::synced, store::Purpose::removes);

  Entry& entry = entries_.at(id.value);
  const std::string* domain = intern(work.domain);
  std::optional<base::Time> next;
  for (const std::size_t i : work.recipients) {
    const Recipient& r = entry.message->recipients[i];
    if (r.state == RecipientState::waiting) next = next ? std::min(*next, r.next_attempt) : r.next_attempt;
  }
  if (next) {
    Item& item = entry.items.at(domain);
    item.leased = false;
    schedule_item(id, domain, item, *next);
  } else {
    entry.items.erase(domain);
  }
  let_go(id, entry);
  if (done && own) add(own, nullptr);
  co_return done;
}

base::Result<std::string> Queue::body_chunk(const Message& message, std::uint32_t n) const {
  const auto entry = entries_.find(message.id.value);
  if (entry != entries_.end() && entry->second.body && n == 0) return *entry->second.body;
  auto row = db_.get(Table::bodies, row_key(message.id, n));
  if (!row) return std::unexpected(row.error());
  if (!*row) {
    return base::fail("queue.body",
                      fmt::format("row {} of message {} is missing from the store", n, message.id.str()));
  }
  return std::move(**row);
}

base::Result<std::vector<Message>> Queue::list(MessageId after, std::size_t limit) const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, entry] : entries_) {
    if (id > after.value) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  std::vector<Message> out;
  for (const std::uint64_t id : ids) {
    if (out.size() == limit) break;
    auto found = find(MessageId{id});
    if (!found) return std::unexpected(found.error());
    if (*found) out.push_back(std::move(**found));
  }
  return out;
}

base::Result<std::optional<Message>> Queue::find(MessageId id) const {
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return std::optional<Message>();
  if (entry->second.message) return std::optional<Message>(*entry->second.message);
  auto record = db_.get(Table::messages, id.key());
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::optional<Message>();
  auto message = Message::decode(id, **record);
  if (!message) return std::unexpected(message.error());
  return std::optional<Message>(std::move(*message));
}

bool Queue::retry(MessageId id) {
  const auto entry = entries_.find(id.value);
  if (entry == entries_.end()) return false;
  for (auto& [domain, item] : entry->second.items) {
    if (item.leased || item.ready) continue;
    waiting_.erase({item.due, id, domain});
    make_ready(id, domain, item);
  }
  return true;
}

std::size_t Queue::retry_all() {
  const std::set<Due> all = std::exchange(waiting_, {});
  for (const Due& due : all) make_ready(due.id, due.domain, entries_.at(due.id.value).items.at(due.domain));
  return all.size();
}

io::Task<base::Result<bool>> Queue::remove(MessageId id) {
  const auto found = entries_.find(id.value);
  if (found == entries_.end()) co_return false;
  for (const auto& [domain, item] : found->second.items) {
    if (item.leased) {
      co_return base::fail("queue.busy", "message " + id.str() + " is being delivered right now: try again");
    }
  }
  auto message = message_of(id, found->second);
  if (!message) co_return std::unexpected(message.error());
  store::Batch batch = db_.batch();
  erase(batch, **message);
  for (const auto& [domain, item] : found->second.items) waiting_.erase({item.due, id, domain});
  drop_body(found->second);
  entries_.erase(found);
  auto done = co_await db_.commit(std::move(batch), store::Durability::synced, store::Purpose::removes);
  if (!done) co_return std::unexpected(done.error());
  co_return true;
}

QueueStats Queue::stats() const {
  QueueStats stats;
  stats.messages = entries_.size();
  for (const auto& [domain, line] : ready_) stats.due += line.size();
  return stats;
}

Queue::Writer Queue::begin(Envelope envelope) { return Writer(*this, std::move(envelope)); }

Queue::Writer::Writer(Queue& queue, Envelope envelope)
    : queue_(&queue), message_(make_message(queue.new_id(), queue.clock_.now(), envelope)) {}

Queue::Writer::~Writer() {
  if (message_ && !committed_ && message_->chunks > 0) {
    queue_->loop_.spawn(clear_rows(&queue_->db_, message_->id));
  }
}

namespace {
constexpr std::size_t kRowBytes = 64 << 10;
}

io::Task<base::Result<>> Queue::Writer::append(std::string_view octets) {
  message_->size += octets.size();
  while (!octets.empty()) {
    const std::size_t n = std::min(octets.size(), kRowBytes - row_.size());
    row_.append(octets.substr(0, n));
    octets.remove_prefix(n);
    if (row_.size() == kRowBytes) {
      auto flushed = co_await flush();
      if (!flushed) co_return flushed;
    }
  }
  co_return base::Result<>{};
}

io::Task<base::Result<>> Queue::Writer::flush() {
  store::Batch batch = queue_->db_.batch();
  if (message_->chunks == 0) batch.put(Table::meta, receiving_key(message_->id), "");
  batch.put(Table::bodies, row_key(message_->id, message_->chunks), row_);
  ++message_->chunks;
  row_.clear();
  co_return co_await queue_->db_.commit(std::move(batch), store::Durability::buffered);
}

io::Task<base::Result<MessageId>> Queue::Writer::commit(BodyFacts facts) {
  message_->body_8bit = facts.eight_bit;
  message_->body_binary = facts.binary;
  // RFC 8689 4.1: REQUIRETLS was asked for: the header field is ignored.
  const bool waived = facts.tls_required_no && message_->tls_wish == TlsWish::none;
  if (waived) message_->tls_wish = TlsWish::waive;
  store::Batch batch = queue_->db_.batch();
  if (message_->chunks > 0) batch.erase(Table::meta, receiving_key(message_->id));
  std::shared_ptr<const std::string> fresh;
  if (!row_.empty()) {
    batch.put(Table::bodies, row_key(message_->id, message_->chunks), row_);
    if (message_->chunks == 0) fresh = std::make_shared<const std::string>(std::move(row_));
    ++message_->chunks;
  }
  batch.put(Table::messages, message_->id.key(), message_->encode());
  auto done = co_await queue_->db_.commit(std::move(batch), store::Durability::synced);
  if (!done) co_return std::unexpected(done.error());
  committed_ = true;
  queue_->add(message_, std::move(fresh));
  co_return message_->id;
}

}  // namespace pinnace::queue
