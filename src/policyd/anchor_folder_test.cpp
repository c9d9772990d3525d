#include "policyd/anchor_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;
constexpr base::Time kNow{1'700'000'000'000ms};

class AnchorFolderTest : public testing::Test {
 protected:
  AnchorFolderTest() {
    std::string name = testing::TempDir() + "pinnace_anchors_XXXXXX";
    root = mkdtemp(name.data());
    folder = root + "/anchors";
  }
  ~AnchorFolderTest() override {
    loop.drop_tasks();
    std::filesystem::remove_all(root);
  }
  static io::Task<void> write_into(AnchorFolder& to, std::vector<postfix::AnchorFile> files, base::Time until,
                                   base::Result<>& out, io::Loop& loop) {
    out = co_await to.write(std::move(files), until);
    loop.post([&loop] { loop.stop(); });
  }
  static io::Task<void> stop_late(io::Timer& deadline, io::Loop& loop) {
    const bool late = co_await deadline.wait(20s);
    if (late) loop.stop();
  }
  base::Result<> write(AnchorFolder& to, const std::string& path, base::Time until) {
    base::Result<> out = base::fail("test", "");
    // A loop with nothing to wait for ends: another thread's post is nothing that it knows of.
    io::Timer deadline(loop);
    loop.spawn(stop_late(deadline, loop));
    loop.spawn(write_into(to, {{path, "PEM of " + path}}, until, out, loop));
    loop.run();
    deadline.cancel();
    loop.run();
    return out;
  }
  static unsigned mode(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }

  io::Loop loop;
  std::string root, folder;
};

TEST_F(AnchorFolderTest, PostfixMayReadWhatIsWrittenWhateverTheUmaskIs) {
  const mode_t before = ::umask(0077);
  AnchorFolder anchors(loop, folder);
  ASSERT_TRUE(anchors.open(kNow));
  // As Postfix sees it in its chroot.
  ASSERT_TRUE(write(anchors, "/seen/so/ab.pem", kNow + 1h));
  ::umask(before);
  EXPECT_EQ(mode(folder), 0755U);
  EXPECT_EQ(mode(folder + "/ab.pem"), 0644U);
  std::ifstream in(folder + "/ab.pem");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "PEM of /seen/so/ab.pem");
  EXPECT_EQ(mode(folder + "/ab.pem.new"), 0U);
}

TEST_F(AnchorFolderTest, AFileGoesAnHourAfterTheLastAnswerThatNamesIt) {
  AnchorFolder anchors(loop, folder);
  ASSERT_TRUE(anchors.open(kNow));
  ASSERT_TRUE(write(anchors, folder + "/ab.pem", kNow + 1h));
  ASSERT_TRUE(write(anchors, folder + "/cd.pem", kNow + 1h));
  EXPECT_TRUE(anchors.keep({folder + "/cd.pem"}, kNow + 2h));
  anchors.clean(kNow + 1h + 59min);
  EXPECT_EQ(mode(folder + "/ab.pem"), 0644U);
  anchors.clean(kNow + 2h);
  EXPECT_EQ(mode(folder + "/ab.pem"), 0U);
  EXPECT_EQ(mode(folder + "/cd.pem"), 0644U);
  EXPECT_FALSE(anchors.keep({folder + "/cd.pem", folder + "/ab.pem"}, kNow + 9h)) << "one is not there";
}

TEST_F(AnchorFolderTest, WhatAnEarlierRunLeftIsCleanedToo) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/ab.pem") << "old";
  std::ofstream(folder + "/cd.pem.new") << "half";
  std::ofstream(folder + "/README") << "somebody else's";
  AnchorFolder anchors(loop, folder);
  ASSERT_TRUE(anchors.open(kNow));
  EXPECT_EQ(mode(folder + "/cd.pem.new"), 0U);
  EXPECT_NE(mode(folder + "/ab.pem"), 0U);
  anchors.clean(kNow + 1h);
  EXPECT_EQ(mode(folder + "/ab.pem"), 0U);
  EXPECT_NE(mode(folder + "/README"), 0U);
}

TEST_F(AnchorFolderTest, AFolderThatIsNoneIsAnError) {
  std::ofstream(folder) << "a file";
  AnchorFolder anchors(loop, folder);
  const auto opened = anchors.open(kNow);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail.find(folder), std::string::npos);
}

}  // namespace
}  // namespace pinnace::policyd
