#include "mime/body_encoder.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

template <class Encoder>
std::string encoded(std::string_view text, std::size_t piece, bool end_line) {
  Encoder encoder;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) encoder.feed(text.substr(at, piece), out);
  encoder.finish(end_line, out);
  return out;
}

// RFC 2045 6.7
TEST(QuotedPrintableEncoder, WritesAtEveryCut) {
  const std::string x72(72, 'x');
  const struct {
    std::string text;
    std::string out;
    const char* why;
  } cases[] = {
      {"", "", "nothing"},
      {"abc\r\ndef\r\n", "abc\r\ndef\r\n", "plain lines"},
      {"Gr\xc3\xbc\xc3\x9f"
       "e = 1\r\n",
       "Gr=C3=BC=C3=9Fe =3D 1\r\n", "8-bit, and the equals sign"},
      {"a b \r\n\t\r\nc\t", "a b=20\r\n=09\r\nc=09=\r\n", "a blank at the end of a line"},
      {"--b\r\na--\r\n-\r\n", "=2D-b\r\na--\r\n=2D\r\n", "no line begins like a delimiter"},
      {x72 + "yyy\r\n", x72 + "yyy\r\n", "75 octets"},
      {x72 + "yyyz\r\n", x72 + "yyy=\r\nz\r\n", "a soft break"},
      {x72 + "y\xff\r\n", x72 + "y=\r\n=FF\r\n", "not inside of an octet"},
      {x72 + "yyy--b\r\n", x72 + "yyy=\r\n=2D-b\r\n", "nor a delimiter by a soft break"},
      {x72 + "yy \r\n", x72 + "yy=\r\n=20\r\n", "nor a blank before one"},
      {"a\rb\nc\r\r\n", std::string("a=0Db=0Ac=0D\r\n"), "CR and LF alone"},
      {std::string("a\0b\r", 4), "a=00b=0D=\r\n", "NUL, and a CR at the end"},
  };
  for (const auto& c : cases) {
    for (std::size_t piece = 1; piece <= c.text.size() + 1; ++piece) {
      EXPECT_EQ(encoded<QuotedPrintableEncoder>(c.text, piece, true), c.out) << c.why << ", by " << piece;
    }
  }
  EXPECT_EQ(encoded<QuotedPrintableEncoder>("ab ", 1, false), "ab=20") << "the line is ended elsewhere";
}

// RFC 2045 6.8
TEST(Base64Encoder, WritesAtEveryCut) {
  const std::string line(57, 'a');
  std::string coded;
  for (int i = 0; i < 19; ++i) coded += "YWFh";
  const struct {
    std::string octets;
    std::string out;
  } cases[] = {
      {"", ""},
      {"a", "YQ=="},
      {std::string("\0\xff\r\n", 4), "AP8NCg=="},
      {line, coded},
      {line + "a", coded + "\r\nYQ=="},
      {line + line, coded + "\r\n" + coded},
  };
  for (const auto& c : cases) {
    for (std::size_t piece = 1; piece <= c.octets.size() + 1; ++piece) {
      EXPECT_EQ(encoded<Base64Encoder>(c.octets, piece, false), c.out) << piece;
      const std::string ended = c.out.empty() ? "" : c.out + "\r\n";
      EXPECT_EQ(encoded<Base64Encoder>(c.octets, piece, true), ended) << piece;
    }
  }
}

}  // namespace
}  // namespace pinnace::mime
