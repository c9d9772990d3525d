#include "mime/fold.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

TEST(Fold, OneLineIsPrintableAscii) {
  EXPECT_EQ(one_line("a\r\nb\tc\x7f"
                     "d\xc3\xbc"),
            "a  b c d??");
  EXPECT_EQ(one_line(std::string("a\0b", 3)), "a b");
  EXPECT_EQ(one_line(std::string(3000, 'x')).size(), 2000U);
  EXPECT_EQ(one_line("5.1.1 and more", 5), "5.1.1");
}

TEST(Fold, Wrapped) {
  const std::string word75(75, 'x'), word76(76, 'x'), word500(500, 'x');
  const struct {
    std::string text;
    const char* indent;
    std::string lines;
    const char* why;
  } cases[] = {
      {"", " ", "", "nothing has no line"},
      {"   ", " ", "", "nor have blanks"},
      {" a  b ", " ", " a b\r\n", "blanks between words are one"},
      {word76, "", word76 + "\r\n", "76 octets fit"},
      {word75 + " a", "", word75 + "\r\na\r\n", "77 do not"},
      {"a " + word75, " ", " a\r\n " + word75 + "\r\n", "the indent counts"},
      {word500 + word76 + " b", " ", " " + word500 + "\r\n " + word76 + "\r\n b\r\n", "a word of 576"},
      {word500 + " b", "", word500 + "\r\nb\r\n", "a word of 500"},
  };
  for (const auto& c : cases) EXPECT_EQ(wrapped(c.text, c.indent), c.lines) << c.why;
}

}  // namespace
}  // namespace pinnace::mime
