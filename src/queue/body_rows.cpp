#include "queue/body_rows.hpp"

#include "base/log.hpp"

namespace pinnace::queue {

using store::Table;

std::string row_key(MessageId id, std::uint32_t n) {
  std::string key = id.key();
  for (int shift = 24; shift >= 0; shift -= 8) key += static_cast<char>(n >> shift & 255);
  return key;
}

std::string receiving_key(MessageId id) { return std::string(kReceiving) + id.key(); }

io::Task<void> clear_rows(store::Database* db, MessageId id) {
  store::Batch batch = db->batch();
  batch.erase_range(Table::bodies, id.key(), MessageId{id.value + 1}.key());
  batch.erase(Table::meta, receiving_key(id));
  const auto done =
      co_await db->commit(std::move(batch), store::Durability::buffered, store::Purpose::removes);
  if (!done) base::log_warning("queue_clear_failed", {{"id", id.str()}, {"detail", done.error().detail}});
}

}  // namespace pinnace::queue
