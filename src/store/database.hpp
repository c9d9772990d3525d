// The one durable store of a service, over RocksDB.
//
// Reads happen on the caller's thread (point reads, mostly from memory). Writes go
// through one commit thread: it takes every batch that waits, writes them, makes
// them durable with ONE fsync, and resumes all their owners. So many sessions share
// a flush, and 250 is only said for what is on disk.
//
// A failed write or fsync cannot be taken back: from then on every commit fails with
// "store.failed" until the process is started anew. Running out of space is met
// before it happens: below `min_free` octets commits that add are refused with
// "store.full", the store gives back what its deleted records still hold, and they are taken again
// when there is room.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "io/loop.hpp"
#include "io/worker.hpp"

namespace pinnace::store {

// One RocksDB column family each; docs/store-format.md says what they hold.
enum class Table : std::uint8_t { meta, messages, bodies, pins, sts, schedule, answers, reports, promises };
inline constexpr std::size_t kTableCount = 9;

// Changes that become visible and durable together. Made by Database::batch().
class Batch {
 public:
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;
  ~Batch();

  void put(Table table, std::string_view key, std::string_view value);
  void erase(Table table, std::string_view key);
  // For a key that was put exactly once: both vanish without a trace.
  void erase_once(Table table, std::string_view key);
  void erase_range(Table table, std::string_view begin, std::string_view end);  // end excluded

 private:
  friend class Database;
  struct Impl;
  explicit Batch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

enum class Durability { synced, buffered };  // buffered: survives the process, not the machine
enum class Purpose { adds, removes };        // removes: allowed on a full disk

struct Settings {
  std::uint64_t min_free = 64ULL << 20;  // octets kept free on the file system
};

struct Stats {
  std::uint64_t commits = 0;
  std::uint64_t flushes = 0;  // fsyncs
};

class Database {
 public:
  // Creates the folder (mode 0700) where there is none. Errors: "store.version" (written by a
  // newer pinnace), "store.locked" (another process has it), "store.open".
  static base::Result<std::unique_ptr<Database>> open(io::Loop& loop, const std::string& path,
                                                      Settings settings);
  ~Database();

  base::Result<std::optional<std::string>> get(Table table, std::string_view key) const;
  // In key order, every key that starts with prefix, until fn returns false.
  base::Result<> scan(Table table, std::string_view prefix,
                      const std::function<bool(std::string_view key, std::string_view value)>& fn) const;
  // The same from `first` on, to the table's end.
  base::Result<> scan_from(Table table, std::string_view first,
                           const std::function<bool(std::string_view key, std::string_view value)>& fn) const;

  Batch batch() const;
  io::Task<base::Result<>> commit(Batch batch, Durability durability, Purpose purpose = Purpose::adds);

  // As of this second: whether a commit that adds would be taken. Where not, room is looked for.
  bool has_room();
  // Why every commit fails from now on, where it is so.
  const std::optional<base::Error>& failed() const { return failed_; }
  // Blocks until it is durable. Only before the loop runs, to bring an older store up to date.
  base::Result<> commit_at_start(Batch batch);

  Stats stats() const;

 private:
  struct Impl;
  struct Waiting {
    Batch batch;
    Durability durability;
    io::OneShot<base::Result<>>* done;
  };
  Database(io::Loop& loop, std::unique_ptr<Impl> impl, Settings settings);
  void hand_over();
  void work();
  base::Result<> write(std::vector<Waiting>& group);
  bool has_room_for(std::size_t adding);
  void reclaim_soon();
  io::Task<void> reclaim();

  io::Loop& loop_;
  std::unique_ptr<Impl> impl_;
  Settings settings_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Waiting> collected_;  // of this turn of the loop
  std::vector<Waiting> waiting_;
  Stats stats_;
  bool stopping_ = false;
  std::optional<base::Error> failed_;
  bool full_ = false;
  bool reclaiming_ = false;
  io::Steady::time_point reclaim_after_{};
  std::uint64_t since_look_ = 0;  // octets
  io::Steady::time_point looked_{};
  std::thread thread_;
  io::Worker worker_;
};

}  // namespace pinnace::store
