#include "gate/promises.hpp"

#include "base/log.hpp"

namespace pinnace::gate {

base::Result<std::unique_ptr<Promises>> Promises::open(store::Database& database, const base::Clock& clock,
                                                       Damaged damaged) {
  std::unique_ptr<Promises> out(new Promises(database, clock));
  base::Result<> read;
  const auto scanned = database.scan(store::Table::promises, "", [&](auto hostname, auto record) {
    auto ledger = pins::Ledger::decode(record);
    if (ledger) {
      out->ledgers_.emplace(hostname, std::move(*ledger));
    } else if (damaged == Damaged::refused) {
      read = base::fail(ledger.error().code,
                        "of " + std::string(hostname) + ": " + ledger.error().detail +
                            "; without it nobody knows what was promised: pinnace pins ledger rebuild");
    }
    return read.has_value();
  });
  if (!scanned) return std::unexpected(scanned.error());
  if (!read) return std::unexpected(read.error());
  out->written_ = out->ledgers_;
  return out;
}

bool Promises::may_say(const std::string& hostname, const pins::Advert& advert) const {
  const auto written = written_.find(hostname);
  return written != written_.end() && written->second.covers(advert, clock_.now());
}

void Promises::cover(const Face& face) {
  for (const Face::Name& name : face.names()) {
    if (of(name.host.hostname).cover(name.advert, clock_.now())) continue;
    base::log_error(
        "too_many_promises",
        {{"hostname", name.host.hostname},
         {"what", "nothing more is promised until the oldest are over: keys were changed too often"}});
  }
}

store::Batch Promises::changes() const {
  store::Batch batch = database_.batch();
  for (const auto& [hostname, ledger] : ledgers_) {
    const auto written = written_.find(hostname);
    if (written != written_.end() && written->second == ledger) continue;
    batch.put(store::Table::promises, hostname, ledger.encode());
  }
  return batch;
}

base::Result<> Promises::write_at_start() {
  auto done = database_.commit_at_start(changes());
  if (done) written_ = ledgers_;
  return done;
}

io::Task<base::Result<>> Promises::write() {
  store::Batch batch = changes();
  const auto holds = ledgers_;
  const auto done = co_await database_.commit(std::move(batch), store::Durability::synced);
  if (done) written_ = holds;
  co_return done;
}

}  // namespace pinnace::gate
