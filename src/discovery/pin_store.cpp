#include "discovery/pin_store.hpp"

namespace pinnace::discovery {

using store::Table;

base::Result<std::optional<std::string>> PinStore::get(const std::string& key) const {
  const auto change = changes_.find(key);
  if (change != changes_.end()) return change->second.record;
  return db_.get(Table::pins, key);
}

base::Result<std::optional<pins::PinSet>> PinStore::find(pins::Scope scope, const std::string& name) const {
  pins::PinSet wanted;
  wanted.scope = scope;
  wanted.name = name;
  auto record = get(wanted.key());
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::optional<pins::PinSet>();
  auto set = pins::PinSet::decode(**record);
  if (!set) return std::unexpected(set.error());
  return std::optional<pins::PinSet>(std::move(*set));
}

base::Result<std::optional<pins::StsecRecord>> PinStore::find_stsec(const std::string& host) const {
  auto record = get(pins::StsecRecord{host, {}, {}}.key());
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::optional<pins::StsecRecord>();
  auto found = pins::StsecRecord::decode(**record);
  if (!found) return std::unexpected(found.error());
  return std::optional<pins::StsecRecord>(std::move(*found));
}

base::Result<> PinStore::scan(const std::string& prefix,
                              const std::function<bool(std::string_view)>& fn) const {
  return db_.scan(Table::pins, prefix, [&](std::string_view, std::string_view record) { return fn(record); });
}

base::Result<std::vector<pins::PinSet>> PinStore::list() const {
  std::vector<pins::PinSet> out;
  base::Result<> result;
  for (const char* prefix : {"host/", "domain/"}) {
    auto scanned = scan(prefix, [&](std::string_view record) {
      auto set = pins::PinSet::decode(record);
      if (set) {
        out.push_back(std::move(*set));
      } else {
        result = std::unexpected(set.error());
      }
      return result.has_value();
    });
    if (!scanned) return std::unexpected(scanned.error());
    if (!result) return std::unexpected(result.error());
  }
  return out;
}

base::Result<std::vector<pins::StsecRecord>> PinStore::list_stsec() const {
  std::vector<pins::StsecRecord> out;
  auto scanned = scan("stsec/", [&](std::string_view record) {
    if (auto found = pins::StsecRecord::decode(record)) out.push_back(std::move(*found));
    return true;
  });
  if (!scanned) return std::unexpected(scanned.error());
  return out;
}

io::Task<base::Result<>> PinStore::write(std::string key, std::optional<std::string> record) {
  store::Batch batch = db_.batch();
  const auto purpose = record ? store::Purpose::adds : store::Purpose::removes;
  if (record) {
    batch.put(Table::pins, key, *record);
  } else {
    batch.erase(Table::pins, key);
  }
  Change& change = changes_[key];
  change.record = std::move(record);
  ++change.writes;
  ++count_;
  auto done = co_await db_.commit(std::move(batch), store::Durability::synced, purpose);
  // What could not be written stays known to this process.
  if (done && --changes_[key].writes == 0) changes_.erase(key);
  co_return done;
}

io::Task<base::Result<>> PinStore::save(pins::PinSet set) { return write(set.key(), set.encode()); }
io::Task<base::Result<>> PinStore::save(pins::StsecRecord record) {
  return write(record.key(), record.encode());
}
io::Task<base::Result<>> PinStore::erase(std::string key) { return write(std::move(key), std::nullopt); }

}  // namespace pinnace::discovery
