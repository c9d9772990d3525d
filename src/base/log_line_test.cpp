#include "base/log_line.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pinnace::base {
namespace {

TEST(LogLine, ValuesCannotForgeALineOrAField) {
  const struct {
    std::string value;
    const char* logfmt;
    const char* json;
  } cases[] = {
      {"plain.text@x", "plain.text@x", R"("plain.text@x")"},
      {"", R"("")", R"("")"},
      {"a b", R"("a b")", R"("a b")"},
      {"a=b", R"("a=b")", R"("a=b")"},
      {"x\r\nerror \"y\\", R"("x\x0d\x0aerror \"y\\")", R"("x\u000d\u000aerror \"y\\")"},
      {std::string("a\0b", 3), R"("a\x00b")", R"("a\u0000b")"},
      {"\x1b[31m\x7f", R"("\x1b[31m\x7f")", R"("\u001b[31m\u007f")"},
      {"m\xc3\xbcller", "\"m\xc3\xbcller\"", "\"m\xc3\xbcller\""},
      {"\xf0\x9f\x93\xa7", "\"\xf0\x9f\x93\xa7\"", "\"\xf0\x9f\x93\xa7\""},
      // NEL, and the line separator
      {"a\xc2\x85.\xe2\x80\xa8", R"("a\xc2\x85.\xe2\x80\xa8")", R"("a\u0085.\u2028")"},
      // What is no UTF-8: an octet alone, one cut off, a longer form than needed, a surrogate, past the end
      {"a\xff", R"("a\xff")", R"("a\\xff")"},
      {"\xe2\x82", R"("\xe2\x82")", R"("\\xe2\\x82")"},
      {"\xc0\x8a", R"("\xc0\x8a")", R"("\\xc0\\x8a")"},
      {"\xed\xa0\x80", R"("\xed\xa0\x80")", R"("\\xed\\xa0\\x80")"},
      {"\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")", R"("\\xf4\\x90\\x80\\x80")"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(quote_log_value(c.value), c.logfmt);
    const std::vector<Field> fields{{"k", c.value}};
    EXPECT_EQ(logfmt_line("e", fields), std::string("e k=") + c.logfmt);
    EXPECT_EQ(json_members("e", fields), std::string(R"("event":"e","k":)") + c.json);
  }
}

}  // namespace
}  // namespace pinnace::base
