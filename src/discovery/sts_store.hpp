// MTA-STS policies as they are kept: in the store, with those used of late in memory, and which one is due
// to be fetched again. What was changed is seen at once. On the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/database.hpp"
#include "sts/cached.hpp"

namespace pinnace::discovery {

class StsStore {
 public:
  // `db` may be null: then memory alone keeps them.
  explicit StsStore(store::Database* db) : db_(db) {}

  // Reads when each policy is due. A damaged record is logged, and stays until it is replaced.
  base::Result<> load();

  // Null: none. A record that cannot be read is an error, never "no policy".
  base::Result<std::shared_ptr<const sts::Cached>> find(const std::string& domain);
  base::Result<std::vector<sts::Cached>> list() const;

  io::Task<base::Result<>> save(std::shared_ptr<const sts::Cached> policy);
  io::Task<base::Result<>> erase(std::string domain);

  // The domain that is due for longest, which then is so no more until set_due() or save().
  std::optional<std::string> take_due(base::Time now);
  void set_due(const std::string& domain, base::Time at);

 private:
  struct Kept {
    std::shared_ptr<const sts::Cached> policy;  // null: erased
    std::size_t octets = 0;
    int writes = 0;  // under way
  };
  void keep(const std::string& domain, std::shared_ptr<const sts::Cached> policy, int writes);
  void make_room();
  void drop_due(const std::string& domain);
  io::Task<base::Result<>> write(std::string domain, store::Batch batch, store::Purpose purpose);

  store::Database* db_;
  std::unordered_map<std::string, Kept> kept_;
  std::size_t kept_octets_ = 0;
  std::unordered_map<std::string, base::Time> due_at_;
  std::set<std::pair<base::Time, std::string>> due_;
};

}  // namespace pinnace::discovery
