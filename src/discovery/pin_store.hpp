// Noted pins and STSEC in the store. What was changed is seen at once, also before it is
// on disk. On the loop's thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pins/pin_set.hpp"
#include "store/database.hpp"

namespace pinnace::discovery {

class PinStore {
 public:
  explicit PinStore(store::Database& db) : db_(db) {}

  // A record that cannot be read is an error, never "nothing noted".
  base::Result<std::optional<pins::PinSet>> find(pins::Scope scope, const std::string& name) const;
  base::Result<std::optional<pins::StsecRecord>> find_stsec(const std::string& host) const;
  base::Result<std::vector<pins::PinSet>> list() const;
  base::Result<std::vector<pins::StsecRecord>> list_stsec() const;

  io::Task<base::Result<>> save(pins::PinSet set);
  io::Task<base::Result<>> save(pins::StsecRecord record);
  // `key` as PinSet::key() or StsecRecord::key().
  io::Task<base::Result<>> erase(std::string key);
  // Another number after each save and erase.
  std::uint64_t changes() const { return count_; }

 private:
  struct Change {
    std::optional<std::string> record;  // nothing: erased
    int writes = 0;                     // under way
  };
  base::Result<std::optional<std::string>> get(const std::string& key) const;
  base::Result<> scan(const std::string& prefix, const std::function<bool(std::string_view)>& fn) const;
  io::Task<base::Result<>> write(std::string key, std::optional<std::string> record);

  store::Database& db_;
  std::unordered_map<std::string, Change> changes_;
  std::uint64_t count_ = 0;
};

}  // namespace pinnace::discovery
