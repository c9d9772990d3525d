#include "store/database.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.hpp"
#include "store/format.hpp"

namespace pinnace::store {
namespace {

constexpr std::array<const char*, kTableCount> kTableNames = {
    "default", "messages", "bodies", "pins", "sts", "schedule", "answers", "reports", "promises"};

rocksdb::Slice slice(std::string_view s) { return {s.data(), s.size()}; }

// A store that failed stays so until the restart: RocksDB would go on by itself when there is room again,
// in the middle of what could not be written.
class NoResume final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* resume) override {
    *resume = false;
  }
};

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.listeners.push_back(std::make_shared<NoResume>());
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.recycle_log_file_num = 2;
  options.max_total_wal_size = 128 << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.allow_concurrent_memtable_write = false;  // the commit thread is the one writer
  return options;
}

// Memory is bounded by these, whatever a message's size.
rocksdb::ColumnFamilyOptions table_options(Table table, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 4 << 20;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  if (table == Table::bodies) {
    // Most bodies are gone before they would be written a second time. Both buffers fit the reserve of a full
    // disk.
    options.write_buffer_size = 8 << 20;
    options.max_write_buffer_number = 2;
    options.enable_blob_files = true;
    options.min_blob_size = 1024;
    options.enable_blob_garbage_collection = true;
  }
  rocksdb::BlockBasedTableOptions blocks;
  blocks.block_cache = cache;
  blocks.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(blocks));
  return options;
}

base::Error to_error(std::string_view code, const std::string& path, const rocksdb::Status& status) {
  return {code, fmt::format("store {}: {}", path, status.ToString())};
}

}  // namespace

using Handles = std::array<rocksdb::ColumnFamilyHandle*, kTableCount>;

struct Batch::Impl {
  enum class Kind : std::uint8_t { put, erase, erase_once, erase_range };
  struct Change {
    Kind kind;
    Table table;
    std::string key;
    std::string value;  // of erase_range its end
  };
  std::vector<Change> changes;
  std::size_t size = 0;  // octets

  void add(Kind kind, Table table, std::string_view key, std::string_view value) {
    size += key.size() + value.size();
    changes.push_back({kind, table, std::string(key), std::string(value)});
  }
  void write_to(rocksdb::WriteBatch& out, const Handles& tables) const;
};

Batch::Batch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;
Batch::~Batch() = default;

void Batch::put(Table table, std::string_view key, std::string_view value) {
  impl_->add(Impl::Kind::put, table, key, value);
}
void Batch::erase(Table table, std::string_view key) { impl_->add(Impl::Kind::erase, table, key, {}); }
void Batch::erase_once(Table table, std::string_view key) {
  impl_->add(Impl::Kind::erase_once, table, key, {});
}
void Batch::erase_range(Table table, std::string_view begin, std::string_view end) {
  impl_->add(Impl::Kind::erase_range, table, begin, end);
}

void Batch::Impl::write_to(rocksdb::WriteBatch& out, const Handles& tables) const {
  for (const Change& change : changes) {
    rocksdb::ColumnFamilyHandle* const table = tables[static_cast<std::size_t>(change.table)];
    switch (change.kind) {
      case Kind::put:
        out.Put(table, slice(change.key), slice(change.value));
        break;
      case Kind::erase:
        out.Delete(table, slice(change.key));
        break;
      case Kind::erase_once:
        out.SingleDelete(table, slice(change.key));
        break;
      case Kind::erase_range:
        out.DeleteRange(table, slice(change.key), slice(change.value));
        break;
    }
  }
}

struct Database::Impl {
  std::string path;
  std::unique_ptr<rocksdb::DB> db;
  Handles tables{};
  rocksdb::ColumnFamilyHandle* handle(Table t) const { return tables[static_cast<std::size_t>(t)]; }
  ~Impl() {
    if (!db) return;
    for (auto* h : tables) {
      if (h) db->DestroyColumnFamilyHandle(h);
    }
    db->Close();
  }
};

base::Result<std::unique_ptr<Database>> Database::open(io::Loop& loop, const std::string& path,
                                                       Settings settings) {
  std::error_code error;
  if (std::filesystem::create_directories(path, error)) ::chmod(path.c_str(), 0700);
  if (error) return base::fail("store.open", fmt::format("cannot create {}: {}", path, error.message()));

  const auto cache = rocksdb::NewLRUCache(8 << 20);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (std::size_t i = 0; i < kTableCount; ++i) {
    families.emplace_back(kTableNames[i], table_options(static_cast<Table>(i), cache));
  }
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(database_options(), path, families, &handles, &db);
  if (!status.ok()) {
    if (status.ToString().find("lock") != std::string::npos) {
      return base::fail("store.locked",
                        fmt::format("store {} is in use by another process: stop it first, or name another "
                                    "folder ({})",
                                    path, status.ToString()));
    }
    return std::unexpected(to_error("store.open", path, status));
  }
  impl->db.reset(db);
  std::copy(handles.begin(), handles.end(), impl->tables.begin());
  if (auto version = check_format(*db, path); !version) return std::unexpected(version.error());
  return std::unique_ptr<Database>(new Database(loop, std::move(impl), settings));
}

Database::Database(io::Loop& loop, std::unique_ptr<Impl> impl, Settings settings)
    : loop_(loop), impl_(std::move(impl)), settings_(settings), thread_([this] { work(); }), worker_(loop) {}

Database::~Database() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

base::Result<std::optional<std::string>> Database::get(Table table, std::string_view key) const {
  std::string value;
  const rocksdb::Status status = impl_->db->Get({}, impl_->handle(table), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return std::unexpected(to_error("store.read", impl_->path, status));
  return std::optional<std::string>(std::move(value));
}

base::Result<> Database::scan(Table table, std::string_view prefix,
                              const std::function<bool(std::string_view, std::string_view)>& fn) const {
  const std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator({}, impl_->handle(table)));
  for (at->Seek(slice(prefix)); at->Valid() && at->key().starts_with(slice(prefix)); at->Next()) {
    if (!fn(at->key().ToStringView(), at->value().ToStringView())) break;
  }
  if (!at->status().ok()) return std::unexpected(to_error("store.read", impl_->path, at->status()));
  return {};
}

base::Result<> Database::scan_from(Table table, std::string_view first,
                                   const std::function<bool(std::string_view, std::string_view)>& fn) const {
  const std::unique_ptr<rocksdb::Iterator> at(impl_->db->NewIterator({}, impl_->handle(table)));
  for (at->Seek(slice(first)); at->Valid(); at->Next()) {
    if (!fn(at->key().ToStringView(), at->value().ToStringView())) break;
  }
  if (!at->status().ok()) return std::unexpected(to_error("store.read", impl_->path, at->status()));
  return {};
}

base::Result<> Database::commit_at_start(Batch batch) {
  rocksdb::WriteOptions durable;
  durable.sync = true;
  rocksdb::WriteBatch changes;
  batch.impl_->write_to(changes, impl_->tables);
  const rocksdb::Status status = impl_->db->Write(durable, &changes);
  if (!status.ok()) return std::unexpected(to_error("store.failed", impl_->path, status));
  return {};
}

Batch Database::batch() const { return Batch(std::make_unique<Batch::Impl>()); }

io::Task<base::Result<>> Database::commit(Batch batch, Durability durability, Purpose purpose) {
  if (failed_) co_return std::unexpected(*failed_);
  if (purpose == Purpose::adds && !has_room_for(batch.impl_->size)) {
    reclaim_soon();
    co_return base::fail("store.full", fmt::format("less than {} MiB free for store {}: make room",
                                                   settings_.min_free >> 20, impl_->path));
  }
  io::OneShot<base::Result<>> done;
  // What the loop has at hand goes first: what it commits shares the write.
  if (collected_.empty()) loop_.post([this] { hand_over(); });
  collected_.push_back({std::move(batch), durability, &done});
  base::Result<> result = co_await done;
  if (full_ && purpose == Purpose::removes) reclaim_soon();
  co_return result;
}

bool Database::has_room() {
  const bool room = has_room_for(0);
  if (!room) reclaim_soon();
  return room;
}

// Looked up once a second, and each time that a quarter of the reserve was written: the store may
// write what it is given twice.
bool Database::has_room_for(std::size_t adding) {
  const auto now = io::Steady::now();
  since_look_ += adding;
  if (now - looked_ < std::chrono::seconds(1) && since_look_ < settings_.min_free / 4) return !full_;
  since_look_ = 0;
  looked_ = now;
  struct statvfs fs{};
  const bool was_full = full_;
  full_ = ::statvfs(impl_->path.c_str(), &fs) == 0 &&
          std::uint64_t{fs.f_bavail} * fs.f_frsize < settings_.min_free;
  if (full_ != was_full) {
    base::log(full_ ? base::Level::error : base::Level::warning, full_ ? "store_full" : "store_has_room",
              {{"path", impl_->path}, {"min_free", std::to_string(settings_.min_free)}});
  }
  return !full_;
}

// Not again before ten times as long has passed as the last took.
void Database::reclaim_soon() {
  if (reclaiming_ || io::Steady::now() < reclaim_after_) return;
  reclaiming_ = true;
  loop_.spawn(reclaim());
}

void Database::hand_over() {
  {
    const std::lock_guard lock(mutex_);
    for (Waiting& w : collected_) waiting_.push_back(std::move(w));
  }
  collected_.clear();
  wake_.notify_one();
}

// Deleted bodies hold their room until a compaction passes; a full disk cannot wait for that.
io::Task<void> Database::reclaim() {
  const auto compact = [impl = impl_.get()] {
    try {
      const std::vector<rocksdb::ColumnFamilyHandle*> all(impl->tables.begin(), impl->tables.end());
      rocksdb::Status status = impl->db->Flush({}, all);
      rocksdb::CompactRangeOptions options;
      options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
      if (status.ok())
        status = impl->db->CompactRange(options, impl->handle(Table::bodies), nullptr, nullptr);
      return status.ok();
    } catch (const std::bad_alloc&) {
      return false;
    }
  };
  const auto start = io::Steady::now();
  const bool done = co_await worker_.run(compact);
  reclaim_after_ = io::Steady::now() + 10 * (io::Steady::now() - start);
  base::log_info("store_reclaimed", {{"path", impl_->path}, {"done", done ? "yes" : "no"}});
  reclaiming_ = false;
  looked_ = {};
}

// Many batches are one write to the log; the sync of the last covers them all.
base::Result<> Database::write(std::vector<Waiting>& group) {
  constexpr std::size_t kWrite = 1 << 20;  // octets
  const bool sync = std::any_of(group.begin(), group.end(),
                                [](const Waiting& w) { return w.durability == Durability::synced; });
  rocksdb::WriteBatch batch;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const bool last = i + 1 == group.size();
    group[i].batch.impl_->write_to(batch, impl_->tables);
    if (!last && batch.GetDataSize() < kWrite) continue;
    rocksdb::WriteOptions options;
    options.sync = sync && last;
    const rocksdb::Status status = impl_->db->Write(options, &batch);
    if (!status.ok()) return std::unexpected(to_error("store.failed", impl_->path, status));
    batch.Clear();
  }
  const std::lock_guard lock(mutex_);
  stats_.commits += group.size();
  stats_.flushes += sync ? 1 : 0;
  return {};
}

void Database::work() {
  std::optional<base::Error> failed;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::vector<Waiting> group = std::exchange(waiting_, {});
    lock.unlock();
    base::Result<> result;
    if (!failed) {
      result = write(group);
      if (!result) {
        failed = result.error();
        base::log_error("store_failed", {{"detail", failed->detail},
                                         {"remedy", "nothing more is accepted; mend the disk and restart"}});
      }
    }
    if (failed) result = std::unexpected(*failed);
    loop_.post([this, group = std::make_shared<std::vector<Waiting>>(std::move(group)), result] {
      if (!result) failed_ = result.error();
      for (Waiting& w : *group) w.done->set(result);
    });
    lock.lock();
  }
}

Stats Database::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace pinnace::store
