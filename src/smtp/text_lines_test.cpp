#include "smtp/text_lines.hpp"

#include <gtest/gtest.h>

#include "smtp/test_cuts.hpp"

namespace pinnace::smtp {
namespace {

TEST(TextLines, KnowsThemAtEveryCut) {
  const struct {
    std::string text;
    bool bare;
    std::size_t longest;
    const char* why;
  } cases[] = {
      {"", false, 0, "nothing"},
      {"ab\r\nabc\r\n", false, 3, "two lines"},
      {"ab\r\nabc", false, 3, "a last line without end"},
      {".\r\n..\r\n", false, 2, "dots are text"},
      {"\r\n\r\n", false, 0, "empty lines"},
      {"a\nb", true, 3, "a bare LF"},
      {"\n", true, 1, "a bare LF alone"},
      {"a\rb\r\n", true, 3, "a bare CR"},
      {"a\r\r\n", true, 2, "two CR"},
      {"a\r", true, 1, "a CR at the very end"},
      {"a\r\n\n", true, 1, "an LF behind a line"},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.text)) {
      TextLines lines;
      for (const auto& part : parts) lines.read(part);
      lines.end();
      EXPECT_EQ(lines.bare_line_end(), c.bare) << c.why;
      EXPECT_EQ(lines.longest_line(), c.longest) << c.why;
    }
  }
}

}  // namespace
}  // namespace pinnace::smtp
