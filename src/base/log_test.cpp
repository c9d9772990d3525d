#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace pinnace::base {
namespace {

TEST(Log, ValuesCannotForgeALineOrAField) {
  const std::pair<std::string, const char*> cases[] = {
      {"plain.text@x", "plain.text@x"},
      {"", R"("")"},
      {"a b", R"("a b")"},
      {"a=b", R"("a=b")"},
      {"x\r\nerror \"y\\", R"("x\x0d\x0aerror \"y\\")"},
      {std::string("a\0b", 3), R"("a\x00b")"},
      {"\x1b[31m\x7f", R"("\x1b[31m\x7f")"},
      {"m\xc3\xbcller", "\"m\xc3\xbcller\""},
      {"a\xc2\x85"
       "b",
       "\"a\xc2\\x85"
       "b\""},
  };
  for (const auto& [value, quoted] : cases) EXPECT_EQ(quote_log_value(value), quoted);
}

class LogFile : public testing::Test {
 protected:
  LogFile() {
    std::string made = (std::filesystem::temp_directory_path() / "pinnace_log_XXXXXX").string();
    if (mkdtemp(made.data())) folder_ = made;
  }
  ~LogFile() override {
    set_log_level(Level::info);
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

TEST_F(LogFile, ThatCannotBeOpenedIsSaid) { EXPECT_FALSE(set_log_file("/dev/null/log")); }

}  // namespace
}  // namespace pinnace::base
