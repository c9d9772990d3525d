// What an operator does to messages in the queue.
#include "queue/queue.hpp"

namespace pinnace::queue {

base::Result<bool> Queue::retry(MessageId id) {
  const auto message = read(id);
  if (!message) return std::unexpected(message.error());
  if (!*message || (*message)->held) return false;
  for (const Summary::Waiting& w : Summary::of(**message).waiting) {
    const auto active = active_.find(id.value);
    const bool under_way = active != active_.end() && active->second.leases(w.destination);
    if (!under_way) agenda_.add_front({id, true}, w.destination);
  }
  return true;
}

std::size_t Queue::retry_all() { return agenda_.force_all(); }

io::Task<base::Result<bool>> Queue::remove(MessageId id) {
  std::vector<MessageId> one{id};
  const auto done = co_await operate({Operation::Kind::remove}, std::move(one));
  if (!done) co_return std::unexpected(done.error());
  if (!done->busy.empty()) {
    co_return base::fail("queue.busy", "message " + id.str() + " is being delivered right now: try again");
  }
  co_return !done->changed.empty();
}

namespace {

// False: it is so already.
bool change(Message& message, const Operation& operation, base::Time now) {
  using Kind = Operation::Kind;
  switch (operation.kind) {
    case Kind::hold:
    case Kind::release:
      if (message.held == (operation.kind == Kind::hold)) return false;
      message.held = operation.kind == Kind::hold;
      return true;
    case Kind::priority:
      if (message.priority == operation.priority) return false;
      message.priority = operation.priority;
      return true;
    case Kind::requeue:
      for (Recipient& r : message.recipients) {
        if (r.state != RecipientState::waiting) continue;
        r.attempts = 0;
        r.next_attempt = now;
      }
      break;
    case Kind::remove:
      break;
  }
  return true;
}

}  // namespace

io::Task<base::Result<Operated>> Queue::operate(Operation operation, std::vector<MessageId> ids) {
  using Kind = Operation::Kind;
  Operated out;
  base::Result<> unread;
  store::Batch batch = db_.batch();
  for (const MessageId id : ids) {
    const auto message = read(id);
    if (!message) unread = std::unexpected(message.error());
    // One that has ended is about to leave.
    if (!message || !*message || Summary::of(**message).waiting.empty()) continue;
    const auto active = active_.find(id.value);
    const bool under_way = active != active_.end() && !active->second.leased.empty();
    const bool alone = operation.kind == Kind::requeue || operation.kind == Kind::remove;
    if (under_way && (alone || active->second.leases(Active::kOperator))) {
      out.busy.push_back(id);
      continue;
    }
    if (!change(**message, operation, now())) continue;
    Active& mine = active_[id.value];
    mine.message = *message;
    mine.leased.emplace_back(Active::kOperator);
    out.changed.push_back(id);
    if (operation.kind == Kind::hold) ++held_;
    if (operation.kind == Kind::release) --held_;
    if (operation.kind == Kind::remove) {
      held_ -= (*message)->held ? 1 : 0;
      erase(batch, **message);
    } else {
      put(batch, **message, Summary::of(**message, turn_key_));
    }
  }
  auto done = co_await db_.commit(std::move(batch), store::Durability::synced, store::Purpose::removes);
  if (operation.kind == Kind::remove) messages_ -= out.changed.size();
  for (const MessageId id : out.changed) {
    const auto active = active_.find(id.value);
    Summary summary = Summary::of(*active->second.message, turn_key_);
    std::erase_if(summary.waiting, [&](const auto& w) { return active->second.leases(w.destination); });
    let_go(id, Active::kOperator);
    if (operation.kind != Kind::remove) enter(id, summary);
  }
  if (!done) co_return std::unexpected(done.error());
  if (!unread) co_return std::unexpected(unread.error());
  co_return out;
}

}  // namespace pinnace::queue
