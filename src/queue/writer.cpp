// A message that is being received: rows as it comes, and one commit that makes it the queue's.
#include "queue/body_rows.hpp"
#include "queue/queue.hpp"

namespace pinnace::queue {

using store::Table;

Queue::Writer::Writer(Queue& queue, Envelope envelope)
    : queue_(&queue), message_(make_message(queue.new_id(), queue.clock_.now(), envelope)) {}

Queue::Writer::~Writer() {
  if (!message_ || committed_ || message_->chunks == 0) return;
  try {
    queue_->loop_.spawn(clear_rows(&queue_->db_, message_->id));
  } catch (const std::bad_alloc&) {
    return;  // the next start clears them
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
  const Summary summary = Summary::of(*message_, queue_->turn_key_);
  queue_->put(batch, *message_, summary);
  auto done = co_await queue_->db_.commit(std::move(batch), store::Durability::synced);
  if (!done) co_return std::unexpected(done.error());
  committed_ = true;
  ++queue_->messages_;
  queue_->keep_fresh(message_, std::move(fresh));
  queue_->enter(message_->id, summary);
  co_return message_->id;
}

}  // namespace pinnace::queue
