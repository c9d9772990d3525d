// What is found of what was told: also on a full disk, and while all of it is being erased.
#include "policyd/answer_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr base::Time kNow{base::Seconds(1'790'000'000)};

Told told(const std::string& key, const std::string& text, std::vector<std::string> hosts) {
  Told out;
  out.key = key;
  out.made = kNow;
  out.usable = out.refresh = kNow + 1h;
  out.hosts = std::move(hosts);
  out.replies = {{"pinnace", text, "", {}, {}, true}};
  return out;
}

class AnswerStoreTest : public testing::Test {
 protected:
  AnswerStoreTest() {
    std::string name = testing::TempDir() + "pinnace_answers_XXXXXX";
    folder = mkdtemp(name.data());
    open(false);
  }
  ~AnswerStoreTest() override {
    close();
    std::filesystem::remove_all(folder);
  }
  void close() {
    loop->drop_tasks();
    answers.reset();
    db.reset();
    loop.reset();
  }
  void open(bool full) {
    loop.emplace();
    db = std::move(store::Database::open(*loop, folder, {full ? std::uint64_t{1} << 60 : 0}).value());
    answers.emplace(*db, 2);
  }
  void reopen(bool full) {
    close();
    open(full);
  }

  static io::Task<void> note_end(io::Task<void> task, bool& ended) {
    co_await std::move(task);
    ended = true;
  }
  static io::Task<void> watch(const bool& ended, io::Loop& loop) {
    const auto until = io::Steady::now() + 20s;
    io::Timer timer(loop);
    while (!ended && io::Steady::now() < until) {
      const bool elapsed = co_await timer.wait(1ms);
      if (!elapsed) break;
    }
    loop.stop();
  }
  void run(io::Task<void> task) {
    bool ended = false;
    loop->spawn(note_end(std::move(task), ended));
    loop->spawn(watch(ended, *loop));
    loop->run();
    ASSERT_TRUE(ended);
  }
  void tend() { run(answers->tend(kNow)); }
  std::string found(const std::string& key) {
    const auto one = answers->find(key);
    return one ? one->replies.at(0).text : "none";
  }
  std::vector<std::string> loaded() {
    std::vector<std::string> out;
    EXPECT_TRUE(answers->load([&](Told one) { out.push_back(one.key); }));
    return out;
  }
  std::vector<std::string> served_by(const std::string& host) {
    return answers->served_by(host, "", 10).value();
  }

  std::string folder;
  std::optional<io::Loop> loop;
  std::unique_ptr<store::Database> db;
  std::optional<AnswerStore> answers;
};

TEST_F(AnswerStoreTest, AFullDiskBringsNothingOlderBack) {
  answers->save(told("a.test", "OK encrypt", {"mx.a.test"}));
  answers->save(told("b.test", "OK encrypt", {"mx.b.test"}));
  tend();
  reopen(true);
  EXPECT_EQ(found("a.test"), "OK encrypt");
  answers->erase("a.test");
  answers->erase("b.test");
  answers->save(told("a.test", "OK fingerprint", {"mx.a.test"}));
  tend();
  EXPECT_TRUE(answers->failing());
  EXPECT_EQ(found("a.test"), "OK fingerprint");
  EXPECT_EQ(found("b.test"), "none");
  EXPECT_THAT(answers->served_unwritten("mx.a.test"), ElementsAre("a.test")) << "it is known whom it serves";
  EXPECT_THAT(served_by("mx.b.test"), IsEmpty());
  EXPECT_FALSE(answers->take_lost());
  reopen(false);
  EXPECT_THAT(loaded(), IsEmpty());
}

TEST_F(AnswerStoreTest, WhatWasNotWrittenIsRememberedWithinBounds) {
  reopen(true);
  for (const char* key : {"a.test", "b.test", "c.test", "d.test"})
    answers->save(told(key, "OK encrypt", {"mx.test"}));
  tend();
  EXPECT_EQ(answers->unwritten(), 2U);
  EXPECT_THAT(answers->served_unwritten("mx.test"), testing::SizeIs(2));
  EXPECT_TRUE(answers->take_lost()) << "of the others it is not known that the host is theirs";
  EXPECT_FALSE(answers->take_lost());
  tend();
  EXPECT_EQ(answers->unwritten(), 2U);
  EXPECT_FALSE(answers->take_lost());
}

io::Task<void> begin_again(AnswerStore& answers, bool& done) {
  const auto begun = co_await answers.begin_again("two");
  done = begun.has_value();
}

TEST_F(AnswerStoreTest, WhatIsBeingErasedIsNotFound) {
  answers->save(told("a.test", "OK encrypt", {"mx.a.test"}));
  tend();
  bool done = false;
  loop->spawn(begin_again(*answers, done));
  ASSERT_FALSE(done);
  EXPECT_EQ(found("a.test"), "none") << "it was made by other rules";
  EXPECT_THAT(served_by("mx.a.test"), IsEmpty());
  answers->save(told("b.test", "OK secure", {"mx.b.test"}));
  tend();
  ASSERT_TRUE(done) << "it was committed first";
  EXPECT_EQ(found("a.test"), "none");
  EXPECT_EQ(found("b.test"), "OK secure");
  EXPECT_THAT(loaded(), ElementsAre("b.test"));
}

TEST_F(AnswerStoreTest, AHostThatServesANextHopNoMoreIsForgotten) {
  answers->save(told("a.test", "OK encrypt", {"one.test", "two.test"}));
  tend();
  answers->save(told("a.test", "OK encrypt", {"two.test", "three.test"}));
  tend();
  EXPECT_THAT(served_by("one.test"), IsEmpty());
  EXPECT_THAT(served_by("two.test"), ElementsAre("a.test"));
  EXPECT_THAT(served_by("three.test"), ElementsAre("a.test"));
  answers->erase("a.test");
  tend();
  EXPECT_THAT(served_by("two.test"), IsEmpty());
  EXPECT_THAT(served_by("three.test"), IsEmpty());
}

}  // namespace
}  // namespace pinnace::policyd
