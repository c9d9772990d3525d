#include "process/user.hpp"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "process/child_fixture.hpp"
#include "process/open_files.hpp"

namespace pinnace::process {
namespace {

namespace fs = std::filesystem;

std::string status_line(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return line.substr(key.size() + 1);
  }
  return "none";
}

class AsRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody";
    std::string made = (fs::temp_directory_path() / "pinnace_user_XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder_ = made;
    ::chmod(folder_.c_str(), 0755);
  }
  ~AsRoot() override { fs::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  fs::path folder_;
  const User nobody_ = find_user("nobody").value_or(User{"nobody", 65534, 65534});
};

TEST(User, ThatDoesNotExistIsNamedWithTheRemedy) {
  const auto found = find_user("no-such-user");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().detail, testing::HasSubstr("useradd --system"));
}

TEST_F(AsRoot, WhatWasRootsIsGivenUpForGood) {
  // Some supervisors set it: root's capabilities outlive a change of user then.
  for (const bool kept : {false, true})
    EXPECT_EQ("", in_child([this, kept]() -> std::string {
                const gid_t groups[] = {0, 1, 2};
                ::setgroups(3, groups);
                if (kept) ::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0);
                if (auto done = become(nobody_); !done) return done.error().detail;
                std::string said;
                const std::string id = std::to_string(nobody_.uid);
                const std::string ids = "\t" + id + "\t" + id + "\t" + id + "\t" + id;
                for (const char* key : {"Uid", "Gid"}) {
                  if (status_line(key) != ids) said += key + status_line(key) + "; ";
                }
                if (status_line("Groups").find_first_of("0123456789") != std::string::npos)
                  said += "groups; ";
                for (const char* key : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
                  if (status_line(key) != "\t0000000000000000") said += key + status_line(key) + "; ";
                }
                if (::setuid(0) == 0) said += "root again; ";
                return said;
              }));
}

TEST_F(AsRoot, NobodyElseCanBecomeAnother) {
  const std::string said = in_child([this]() -> std::string {
    if (auto done = become(nobody_); !done) return done.error().detail;
    if (auto done = become(nobody_); !done) return "oneself: " + done.error().detail;
    const auto other = become(User{"daemon", 1, 1});
    return other ? "became another" : other.error().detail;
  });
  EXPECT_THAT(said, testing::StartsWith("only root can become daemon"));
}

TEST_F(AsRoot, AFolderMadeForTheUserIsHis) {
  ASSERT_TRUE(make_folder(path("new"), nobody_));
  EXPECT_EQ("", in_child([this]() -> std::string {
              if (auto done = become(nobody_); !done) return done.error().detail;
              const auto usable = check_folder(path("new"));
              return usable ? "" : usable.error().detail;
            }));
  struct stat info{};
  ASSERT_EQ(::stat(path("new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(AsRoot, AFolderThatIsNotTheUsersIsNamedWithTheRemedy) {
  fs::create_directory(path("roots"));
  ::chmod(path("roots").c_str(), 0700);
  fs::create_directory(path("mixed"));
  ASSERT_EQ(::chown(path("mixed").c_str(), nobody_.uid, nobody_.gid), 0);
  std::ofstream(path("mixed/CURRENT")) << "x";
  ::chmod(path("mixed/CURRENT").c_str(), 0600);
  for (const char* name : {"roots", "mixed"}) {
    ASSERT_TRUE(make_folder(path(name), nobody_)) << "what is there stays as it is";
    const std::string said = in_child([&]() -> std::string {
      if (auto done = become(nobody_); !done) return done.error().detail;
      const auto usable = check_folder(path(name));
      return usable ? "it is usable" : usable.error().detail;
    });
    EXPECT_THAT(said, testing::HasSubstr("chown -R nobody: " + path(name)));
  }
}

TEST_F(AsRoot, OpenFilesAreAllowedAsFarAsTheLimitGoes) {
  EXPECT_EQ("", in_child([this]() -> std::string {
              const rlimit limit{64, 256};
              ::setrlimit(RLIMIT_NOFILE, &limit);
              if (auto done = become(nobody_); !done) return done.error().detail;
              const auto soft = [] {
                rlimit now{};
                ::getrlimit(RLIMIT_NOFILE, &now);
                return now.rlim_cur;
              };
              if (auto done = allow_open_files(200); !done) return done.error().detail;
              if (soft() != 200) return "not 200";
              const auto more = allow_open_files(1000);
              if (more) return "more than the hard limit";
              if (soft() != 256) return "not as many as can be had";
              return more.error().detail.find("LimitNOFILE=1000") == std::string::npos ? "no remedy" : "";
            }));
}

}  // namespace
}  // namespace pinnace::process
