#include "mime/content_fields.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

// RFC 2045 5.1, RFC 2046 5.1.1
TEST(ContentType, IsReadAsItsGrammarHasIt) {
  const std::string longest(ContentType::kMaxBoundary, 'b');
  const struct {
    std::string value;
    std::string type;
    std::string subtype;
    std::string boundary;
    const char* why;
  } cases[] = {
      {" text/plain\r\n", "text", "plain", "", "without parameters"},
      {" TEXT / Html ; charset=utf-8;\r\n", "text", "html", "", "case, blanks, a semicolon at the end"},
      {"multipart/mixed; boundary=b\r\n", "multipart", "mixed", "b", "a token"},
      {"multipart/mixed;\r\n\tBOUNDARY=\"a b;\\\"c\"\r\n", "multipart", "mixed", "a b;\"c", "quoted, folded"},
      {"multipart/mixed; boundary=----=_Part/1:2; x=y", "multipart", "mixed", "----=_Part/1:2", "not quoted"},
      {"multipart/mixed (a (b\\)) ; boundary=x); boundary=(c)b", "multipart", "mixed", "b", "comments"},
      {"multipart/mixed; boundary=\"a\r\n b\"", "multipart", "mixed", "a b",
       "a fold in quotes is none of it"},
      {"multipart/mixed; boundary=" + longest, "multipart", "mixed", longest, "the longest"},
  };
  for (const auto& c : cases) {
    const auto t = ContentType::parse(c.value);
    ASSERT_TRUE(t) << c.why << ": " << t.error().detail;
    EXPECT_EQ(t->type, c.type) << c.why;
    EXPECT_EQ(t->subtype, c.subtype) << c.why;
    EXPECT_EQ(t->boundary, c.boundary) << c.why;
  }
}

TEST(ContentType, WhatTwoReadersCouldTakeDifferentlyIsAnError) {
  const struct {
    std::string value;
    const char* why;
  } cases[] = {
      {"", "nothing"},
      {"text", "no subtype"},
      {"multipart/mixed boundary=b", "no semicolon"},
      {"multipart/mixed; boundary", "no value"},
      {"multipart/mixed; boundary=", "an empty value"},
      {"multipart/mixed; boundary=\"\"", "an empty boundary"},
      {"multipart/mixed; boundary=\"b", "quotes that do not end"},
      {"multipart/mixed; boundary=\"b\\", "nor after a backslash"},
      {"multipart/mixed; boundary=a\"b\"", "quotes in a token"},
      {"multipart/mixed; boundary=a; boundary=b", "two of them"},
      {"multipart/mixed; boundary*0=a; boundary*1=b", "in pieces"},
      {"multipart/mixed; boundary=\"a \"", "a blank at its end"},
      {"multipart/mixed; boundary=\"\xc3\xa4\"", "not ASCII"},
      {"multipart/mixed; (boundary=a", "a comment that does not end"},
      {"multipart/mixed; boundary=" + std::string(ContentType::kMaxBoundary + 1, 'b'), "too long"},
  };
  for (const auto& c : cases) EXPECT_FALSE(ContentType::parse(c.value)) << c.why;
}

// RFC 2045 6.1
TEST(TransferEncoding, Names) {
  using enum TransferEncoding;
  const struct {
    const char* value;
    TransferEncoding encoding;
  } cases[] = {{" 7bit\r\n", seven_bit},
               {"8BIT", eight_bit},
               {" (c) Binary ", binary},
               {"base64", base64},
               {"x-uuencode", other},
               {"Quoted-Printable", quoted_printable},
               {"", other},
               {"8bit, 7bit", other},
               {"8bit base64", other}};
  for (const auto& c : cases) EXPECT_EQ(parse_transfer_encoding(c.value), c.encoding) << c.value;
}

}  // namespace
}  // namespace pinnace::mime
