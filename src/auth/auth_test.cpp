// Hashes, the file of users, and logins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "auth/logins.hpp"
#include "auth/password_hash.hpp"

namespace pinnace::auth {
namespace {

using testing::HasSubstr;

// By the argon2 program, and by crypt(3).
const std::string kArgon2 =
    "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$jacJHQ+PoBstB/ZoVNk8re3s1yzVABZujceGiwVNJnk";
const std::string kYescrypt = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$4cT1XRLT6DySXCxUCKRWFonjJQoecjIoQys0VZwcGL.";

TEST(PasswordHash, KnownOnes) {
  EXPECT_EQ(matches(kArgon2, "password"), Match::yes);
  EXPECT_EQ(matches(kArgon2, "passwore"), Match::no);
  EXPECT_EQ(matches(kYescrypt, "pa55 wörd"), Match::yes);
  EXPECT_EQ(matches(kYescrypt, "pa55 word"), Match::no);
}

TEST(PasswordHash, MadeOnesMatchAndDiffer) {
  const auto one = make_hash("secret"), two = make_hash("secret");
  ASSERT_TRUE(one && two);
  EXPECT_NE(*one, *two) << "a salt of its own";
  EXPECT_TRUE(check_hash(*one));
  EXPECT_EQ(matches(*one, "secret"), Match::yes);
  EXPECT_EQ(matches(*one, "Secret"), Match::no);
}

TEST(PasswordHash, WhatIsNone) {
  EXPECT_TRUE(check_hash(kArgon2));
  EXPECT_TRUE(check_hash(kYescrypt));
  for (const char* bad :
       {"", "secret", "{PLAIN}secret", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "$y$", "$y$j9T$abc$",
        "$argon2id$", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFh",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "$argon2id$v=19$m=2097152,t=2,p=1$c29tZXNhbHQ$CTFh",
        "$argon2id$v=19$m=65536,t=200,p=1$c29tZXNhbHQ$CTFh"})
    EXPECT_FALSE(check_hash(bad)) << bad;
}

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "pinnace_auth_XXXXXX").string();
  Folder() { path = mkdtemp(path.data()); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& text, mode_t mode = 0640) const {
    const std::string file = path + "/users";
    const std::string made = file + ".new";
    std::ofstream(made) << text;
    chmod(made.c_str(), mode);
    std::filesystem::rename(made, file);
    return file;
  }
};

TEST(UserFile, Reads) {
  const Folder folder;
  const auto file = UserFile::load(
      folder.write("# who may\n\nann:" + kArgon2 + "\r\nbob@x.test:" + kYescrypt + ":bob@X.test,@Y.test\n"));
  ASSERT_TRUE(file) << file.error().detail;
  EXPECT_EQ(file->size(), 2U);
  EXPECT_EQ(file->find("ann")->hash, kArgon2);
  EXPECT_TRUE(file->find("ann")->senders.empty());
  EXPECT_THAT(file->find("bob@x.test")->senders, testing::ElementsAre("bob@x.test", "@y.test"));
  EXPECT_EQ(file->find("Ann"), nullptr);
  EXPECT_EQ(file->decoy("eve"), file->decoy("eve"));
  EXPECT_FALSE(file->decoy("eve").empty());
}

TEST(UserFile, SaysWhatIsWrongWhere) {
  const Folder folder;
  const struct {
    std::string text;
    mode_t mode;
    const char* says;
  } kRows[] = {
      {"ann:" + kArgon2, 0644, "users: is open to every user"},
      {"ann:" + kArgon2, 0642, "chmod o="},
      {"#\nann", 0600, "users:2: USER:HASH"},
      {":" + kArgon2, 0600, "users:1: USER:HASH"},
      {"ann:secret", 0600, "users:1: a hash begins with"},
      {"ann:" + kArgon2 + "\nann:" + kYescrypt, 0600, "users:2: the user 'ann' stands here twice"},
      {"ann:" + kArgon2 + ":ann", 0600, "'ann' is no sender"},
      {"ann:" + kArgon2 + ":a@x.test, b@x.test", 0600, "' b@x.test' is no sender"},
  };
  for (const auto& row : kRows) {
    const auto file = UserFile::load(folder.write(row.text, row.mode));
    ASSERT_FALSE(file) << row.says;
    EXPECT_THAT(file.error().detail, HasSubstr(row.says));
  }
  EXPECT_THAT(UserFile::load(folder.path + "/none").error().detail,
              HasSubstr("cannot be read: No such file"));
  EXPECT_THAT(UserFile::load(folder.path).error().detail, HasSubstr("is no file"));
}

TEST(UserFile, Senders) {
  const std::vector<std::string> senders = {"Ann@x.test", "@y.test"};
  for (const auto& [address, may] :
       std::initializer_list<std::pair<const char*, bool>>{{"Ann@x.test", true},
                                                           {"Ann@X.test", true},
                                                           {"ann@x.test", false},
                                                           {"who@y.test", true},
                                                           {"who@a.y.test", false},
                                                           {"@y.test@z.test", false},
                                                           {"", true}}) {
    EXPECT_EQ(may_send_as(senders, address), may) << address;
  }
  EXPECT_TRUE(may_send_as({}, "who@z.test"));
}

io::Task<void> ask(Logins& logins, std::string client, std::string user, std::string password, Verdict& out,
                   int& left, io::Loop& loop) {
  out = co_await logins.check(std::move(client), std::move(user), std::move(password));
  if (--left == 0) loop.stop();
}

io::Task<void> give_up(io::Timer& timer, io::Loop& loop) {
  const bool elapsed = co_await timer.wait(std::chrono::minutes(1));
  if (elapsed) loop.stop();
}

struct LoginsTest : testing::Test {
  Folder folder;
  io::Loop loop;
  base::ManualClock clock{base::Time{std::chrono::hours(500'000)}};
  // No pauses unless a test is about it: a clock that stands still would never let anybody in again.
  std::optional<Logins> logins;
  io::Timer deadline{loop};
  LoginsTest() { loop.spawn(give_up(deadline, loop)); }
  ~LoginsTest() override { loop.drop_tasks(); }

  void open(const std::string& text, base::Milliseconds pause = base::Milliseconds(0)) {
    ThrottleSettings settings;
    settings.first_pause = pause;
    logins.emplace(loop, clock, folder.write(text), settings);
    const auto loaded = logins->load();
    ASSERT_TRUE(loaded) << loaded.error().detail;
  }
  Verdict check(const std::string& user, const std::string& password) {
    Verdict out;
    int left = 1;
    loop.spawn(ask(*logins, "192.0.2.1", user, password, out, left, loop));
    if (left > 0) loop.run();
    EXPECT_EQ(left, 0);
    return out;
  }
};

TEST_F(LoginsTest, GoodBadAndUnknown) {
  open("ann:" + kArgon2 + ":@x.test\nbob:" + kYescrypt + "\n");
  const Verdict good = check("ann", "password");
  EXPECT_EQ(good.kind, Verdict::Kind::good) << good.why;
  EXPECT_THAT(good.senders, testing::ElementsAre("@x.test"));
  EXPECT_EQ(check("bob", "pa55 wörd").kind, Verdict::Kind::good);
  EXPECT_EQ(check("ann", "pa55 wörd").why, "wrong password");
  EXPECT_EQ(check("eve", "password").kind, Verdict::Kind::bad) << "even where it is the decoy's password";
  EXPECT_EQ(check("eve", "pa55 wörd").why, "no such user");
}

TEST_F(LoginsTest, AChangedFileIsReadAndABrokenOneChangesNothing) {
  open("ann:" + kArgon2 + "\n");
  folder.write("bob:" + kArgon2 + "\n# longer\n");
  EXPECT_EQ(check("ann", "password").kind, Verdict::Kind::bad);
  EXPECT_EQ(check("bob", "password").kind, Verdict::Kind::good);
  folder.write("bob\n");
  EXPECT_EQ(check("bob", "password").kind, Verdict::Kind::good);
  folder.write("eve:" + kArgon2 + "\n", 0644);
  EXPECT_EQ(check("eve", "password").kind, Verdict::Kind::bad) << "everybody could read it";
  folder.write("\n");
  EXPECT_EQ(check("bob", "password").why, "no such user") << "an empty file knows nobody";
}

TEST_F(LoginsTest, AfterFailuresNobodyIsLookedAtForAWhile) {
  open("ann:" + kArgon2 + "\n", std::chrono::minutes(1));
  EXPECT_EQ(check("ann", "wrong").kind, Verdict::Kind::bad);
  EXPECT_EQ(check("ann", "password").kind, Verdict::Kind::later);
  clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(check("ann", "password").kind, Verdict::Kind::good);
}

// However many connections it opens at once.
TEST_F(LoginsTest, ABurstIsNotLookedAtBeforeItsFirstFailureIsKnown) {
  open("ann:" + kYescrypt + "\n", std::chrono::minutes(1));
  constexpr int kMany = 50;
  std::vector<Verdict> out(kMany);
  int left = kMany;
  for (Verdict& v : out) loop.spawn(ask(*logins, "c", "ann", "wrong", v, left, loop));
  loop.run();
  EXPECT_EQ(left, 0);
  const auto looked_at =
      std::count_if(out.begin(), out.end(), [](const Verdict& v) { return v.why == "wrong password"; });
  EXPECT_EQ(looked_at, ThrottleSettings().side_by_side);
}

// A mail program opens several connections, also the first time.
TEST_F(LoginsTest, WhoeverKnowsThePasswordMayComeSeveralTimesAtOnce) {
  open("ann:" + kYescrypt + "\n", std::chrono::minutes(1));
  constexpr int kMany = 12;
  std::vector<Verdict> out(kMany);
  int left = kMany;
  for (Verdict& v : out) loop.spawn(ask(*logins, "c", "ann", "pa55 wörd", v, left, loop));
  loop.run();
  EXPECT_EQ(left, 0);
  for (const Verdict& v : out) EXPECT_EQ(v.kind, Verdict::Kind::good) << v.why;
}

TEST_F(LoginsTest, WhomOthersLetInIsBoundAsTheFileSays) {
  open("ann:" + kArgon2 + ":@x.test\n");
  const auto look = [](Logins& from, std::string user, std::vector<std::string>& to,
                       io::Loop& l) -> io::Task<void> {
    to = co_await from.senders_of(std::move(user));
    l.stop();
  };
  for (const auto& [user, senders] : std::initializer_list<std::pair<const char*, std::vector<std::string>>>{
           {"ann", {"@x.test"}}, {"eve", {}}}) {
    std::vector<std::string> found = {"-"};
    loop.spawn(look(*logins, user, found, loop));
    loop.run();
    EXPECT_EQ(found, senders) << user;
  }
}

TEST_F(LoginsTest, WhoWaitsIsBounded) {
  open("ann:" + kArgon2 + "\n");
  constexpr int kMany = Logins::kMostWaiting + 5;
  std::vector<Verdict> out(kMany);
  int left = kMany;
  for (int i = 0; i < kMany; ++i) {
    const std::string each = std::to_string(i);
    loop.spawn(ask(*logins, each, each, "wrong", out[static_cast<std::size_t>(i)], left, loop));
  }
  int later = 0;
  for (const Verdict& v : out) later += v.why == "too many logins wait";
  EXPECT_EQ(later, 5);
  loop.run();
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace pinnace::auth
