#include "store/database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>

namespace pinnace::store {
namespace {

struct Folder {
  std::string path;
  Folder() {
    std::string name = testing::TempDir() + "pinnace_store_XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

io::Task<void> put(Database& db, std::string key, std::string value, base::Result<>& out, int& left,
                   io::Loop& loop) {
  Batch batch = db.batch();
  batch.put(Table::messages, key, value);
  out = co_await db.commit(std::move(batch), Durability::synced);
  if (--left == 0) loop.stop();
}

// Runs the loop until the commit has ended.
base::Result<> put_now(io::Loop& loop, Database& db, const std::string& key, const std::string& value) {
  io::Timer deadline(loop);
  base::Result<> out;
  int left = 1;
  loop.spawn(put(db, key, value, out, left, loop));
  while (left > 0) loop.run();
  return out;
}

struct Held {  // keeps a loop running while only the commit thread works
  io::Timer timer;
  explicit Held(io::Loop& loop) : timer(loop) { loop.spawn(hold(timer)); }
  static io::Task<void> hold(io::Timer& t) { co_await t.wait(std::chrono::seconds(30)); }
};

TEST(Database, CommittedIsThereAfterReopening) {
  const Folder folder;
  for (int round = 0; round < 2; ++round) {
    io::Loop loop;
    const Held held(loop);
    auto db = Database::open(loop, folder.path + "/db", {});
    ASSERT_TRUE(db) << db.error().detail;
    if (round == 0) {
      ASSERT_TRUE(put_now(loop, **db, "k", "v"));
    } else {
      EXPECT_THAT((*db)->get(Table::messages, "k").value(), testing::Optional(std::string("v")));
    }
    loop.drop_tasks();
  }
}

TEST(Database, ConcurrentCommitsShareFlushes) {
  const Folder folder;
  io::Loop loop;
  const Held held(loop);
  auto db = Database::open(loop, folder.path, {});
  ASSERT_TRUE(db);
  constexpr int kTasks = 200;
  std::vector<base::Result<>> results(kTasks);
  int left = kTasks;
  for (int i = 0; i < kTasks; ++i) {
    loop.spawn(put(**db, std::to_string(i), "v", results[static_cast<std::size_t>(i)], left, loop));
  }
  loop.run();
  for (const auto& r : results) EXPECT_TRUE(r);
  EXPECT_EQ((*db)->stats().commits, 200U);
  EXPECT_LT((*db)->stats().flushes, 100U);
  loop.drop_tasks();
}

TEST(Database, SecondProcessIsRefused) {
  const Folder folder;
  io::Loop loop;
  auto first = Database::open(loop, folder.path, {});
  ASSERT_TRUE(first);
  auto second = Database::open(loop, folder.path, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "store.locked");
}

TEST(Database, NewerFormatIsRefusedAndNamed) {
  const Folder folder;
  {
    io::Loop loop;
    auto made = Database::open(loop, folder.path, {});
    ASSERT_TRUE(made);
  }
  {
    rocksdb::DB* raw = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, folder.path, &names).ok());
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    ASSERT_TRUE(rocksdb::DB::Open({}, folder.path, families, &handles, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put({}, "version", "2").ok());
    for (auto* h : handles) db->DestroyColumnFamilyHandle(h);
  }
  io::Loop loop;
  auto again = Database::open(loop, folder.path, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "store.version");
  EXPECT_THAT(again.error().detail, testing::HasSubstr(folder.path));
}

TEST(Database, LowSpaceRefusesBeforeTheDiskIsFull) {
  const Folder folder;
  io::Loop loop;
  const Held held(loop);
  Settings settings;
  settings.min_free = std::uint64_t{1} << 60;
  auto db = Database::open(loop, folder.path, settings);
  ASSERT_TRUE(db);
  const auto refused = put_now(loop, **db, "k", "v");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "store.full");
  EXPECT_FALSE((*db)->has_room());
  EXPECT_EQ((*db)->get(Table::messages, "k").value(), std::nullopt);
  loop.drop_tasks();
}

}  // namespace
}  // namespace pinnace::store
