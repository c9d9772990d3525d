#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace pinnace::base {
namespace {

class LogFile : public testing::Test {
 protected:
  LogFile() {
    std::string made = (std::filesystem::temp_directory_path() / "pinnace_log_XXXXXX").string();
    if (mkdtemp(made.data())) folder_ = made;
  }
  ~LogFile() override {
    set_log_level(Level::info);
    set_log_format(LogFormat::logfmt);
    set_log_file("/dev/stderr");
    std::filesystem::remove_all(folder_);
  }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  static std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::filesystem::path folder_;
};

TEST_F(LogFile, OneEventIsOneLineOfItsFields) {
  ASSERT_TRUE(set_log_file(path("log")));
  log_warning("refused", {{"host", "mx.x.test"}, {"reply", "550 no\r\nmore"}});
  EXPECT_THAT(
      content(path("log")),
      testing::MatchesRegex("[0-9T:.-]+Z warning refused host=mx.x.test reply=\"550 no.x0d.x0amore\"\n"));
}

TEST_F(LogFile, WhatIsBelowTheLevelIsNotWritten) {
  ASSERT_TRUE(set_log_file(path("log")));
  set_log_level(Level::error);
  log_warning("quiet", {});
  log_error("loud", {});
  EXPECT_THAT(content(path("log")),
              testing::AllOf(testing::HasSubstr("loud"), testing::Not(testing::HasSubstr("quiet"))));
}

TEST_F(LogFile, CanBeSetAgain) {
  ASSERT_TRUE(set_log_file(path("first")));
  ASSERT_TRUE(set_log_file(path("second")));
  log_error("later", {});
  EXPECT_EQ(content(path("first")), "");
  EXPECT_THAT(content(path("second")), testing::HasSubstr("later"));
}

TEST_F(LogFile, AsJsonIsAnObjectALine) {
  ASSERT_TRUE(set_log_file(path("log")));
  set_log_format(LogFormat::json);
  log_warning("refused", {{"host", "mx.x.test"}, {"reply", "550 \"no\"\r\n100%v"}});
  EXPECT_THAT(content(path("log")),
              testing::MatchesRegex(R"(\{"time":"[0-9T:.-]+Z","level":"warning","event":"refused",)"
                                    R"("host":"mx.x.test","reply":"550 ."no.".*100%v"\})"
                                    "\n"));
}

TEST_F(LogFile, LinesWaitUntilTheyAreFlushedOrUntilAWarning) {
  ASSERT_TRUE(set_log_file(path("log")));
  int asked = 0;
  gather_log([&asked] { ++asked; });
  log_info("one", {});
  log_info("two", {});
  EXPECT_EQ(content(path("log")), "");
  EXPECT_EQ(asked, 1);
  flush_log();
  EXPECT_THAT(content(path("log")), testing::HasSubstr("info two"));

  log_info("three", {});
  EXPECT_EQ(asked, 2);
  log_warning("four", {});
  EXPECT_THAT(content(path("log")), testing::MatchesRegex("[^#]*three\n.*four\n"));

  log_info("five", {});
  gather_log(nullptr);
  EXPECT_THAT(content(path("log")), testing::HasSubstr("five"));
  log_info("six", {});
  EXPECT_THAT(content(path("log")), testing::HasSubstr("six"));
}

// As logrotate does it: the file is moved away, and what comes later stands in a new one.
TEST_F(LogFile, IsOpenedAnewByItsName) {
  ASSERT_TRUE(set_log_file(path("log")));
  log_info("before", {});
  std::filesystem::rename(path("log"), path("log.1"));
  log_info("between", {});
  ASSERT_TRUE(reopen_log());
  log_info("after", {});
  EXPECT_THAT(content(path("log.1")),
              testing::AllOf(testing::HasSubstr("before"), testing::HasSubstr("between"),
                             testing::Not(testing::HasSubstr("after"))));
  EXPECT_THAT(content(path("log")),
              testing::AllOf(testing::HasSubstr("after"), testing::Not(testing::HasSubstr("between"))));
}

TEST_F(LogFile, ThatCannotBeOpenedAnewIsKeptOn) {
  std::filesystem::create_directory(path("sub"));
  ASSERT_TRUE(set_log_file(path("sub/log")));
  std::filesystem::rename(path("sub"), path("moved"));
  std::ofstream(path("sub")) << "no folder";
  EXPECT_FALSE(reopen_log());
  log_info("after", {});
  EXPECT_THAT(content(path("moved/log")), testing::HasSubstr("after"));
}

TEST_F(LogFile, ThatCannotBeOpenedIsSaid) { EXPECT_FALSE(set_log_file("/dev/null/log")); }

}  // namespace
}  // namespace pinnace::base
