#pragma once

#include <string>

#include "base/error.hpp"

namespace rocksdb {
class DB;
}

namespace pinnace::store {

// The version of the format in which a store's records are (docs/store-format.md). A store of a newer
// pinnace is left alone: its records may mean what we do not know. Error "store.version".
base::Result<> check_format(rocksdb::DB& db, const std::string& path);

// The same of the store in a folder, read only, also while a service has it open. A folder without a store
// is good. Errors: "store.version", "store.open".
base::Result<> check_format(const std::string& path);

}  // namespace pinnace::store
