#include "store/format.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include <charconv>
#include <filesystem>
#include <memory>

namespace pinnace::store {
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kVersionKey = "version";

base::Error to_error(const std::string& path, const rocksdb::Status& status) {
  return {"store.open", fmt::format("store {}: {}", path, status.ToString())};
}

base::Result<> check_version(const std::string& found, const std::string& path) {
  int version = 0;
  const auto [end, code] = std::from_chars(found.data(), found.data() + found.size(), version);
  if (code == std::errc{} && end == found.data() + found.size() && version >= 1 && version <= kFormatVersion)
    return {};
  return base::fail("store.version",
                    fmt::format("store {} has format version '{}', and this pinnace knows up to {}: run the "
                                "pinnace that wrote it, or a newer one",
                                path, found, kFormatVersion));
}

}  // namespace

base::Result<> check_format(rocksdb::DB& db, const std::string& path) {
  std::string found;
  const rocksdb::Status status = db.Get({}, kVersionKey, &found);
  if (status.IsNotFound()) {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    const rocksdb::Status put = db.Put(durable, kVersionKey, std::to_string(kFormatVersion));
    if (!put.ok()) return std::unexpected(to_error(path, put));
    return {};
  }
  if (!status.ok()) return std::unexpected(to_error(path, status));
  return check_version(found, path);
}

base::Result<> check_format(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path + "/CURRENT", error)) {
    if (!error) return {};
    return base::fail("store.open", fmt::format("store {}: {}", path, error.message()));
  }
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly({}, path, &opened);
  if (!status.ok()) return std::unexpected(to_error(path, status));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::string found;
  const rocksdb::Status got = db->Get({}, kVersionKey, &found);
  if (got.IsNotFound()) return {};
  if (!got.ok()) return std::unexpected(to_error(path, got));
  return check_version(found, path);
}

}  // namespace pinnace::store
