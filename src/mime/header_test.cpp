#include "mime/header.hpp"

#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

// RFC 5321 6.3
TEST(HeaderScanner, CountsReceivedFieldsAtEveryCut) {
  const struct {
    std::string text;
    std::size_t received;
    const char* why;
  } cases[] = {
      {"Received: from a\r\n\tby b\r\nRECEIVED: from c\r\nSubject: s\r\n\r\n", 2, "whatever its case"},
      {"X-Received: no\r\nReceived-SPF: no\r\nReceive: no\r\n\r\n", 0, "other fields"},
      {"Subject: s\r\n Received: no\r\n\r\n", 0, "a continuation"},
      {"Subject: s\r\n\r\nReceived: in the body\r\n", 0, "the body"},
      {"Received: a\r\nReceived: b\r\n", 2, "no empty line"},
      {"\r\nReceived: x\r\n", 0, "no header"},
      {"", 0, "nothing"},
  };
  for (const auto& c : cases) {
    for (std::size_t i = 0; i <= c.text.size(); ++i) {
      HeaderScanner s;
      s.feed(c.text.substr(0, i));
      s.feed(c.text.substr(i));
      EXPECT_EQ(s.received(), c.received) << c.why << ", cut at " << i;
      EXPECT_FALSE(s.eight_bit());
    }
  }
}

TEST(HeaderScanner, AFieldLongerThanAnyBoundIsCounted) {
  HeaderScanner s;
  for (int n = 0; n < 3; ++n) {
    s.feed("Received: ");
    for (int i = 0; i < 10; ++i) s.feed(std::string(10'000, 'x'));
    s.feed("\r\n");
  }
  EXPECT_EQ(s.received(), 3U);
}

TEST(HeaderScanner, EightBitAtEveryPlace) {
  const std::string text = "Subject: s\r\n\r\na body of some length\r\n";
  for (std::size_t i = 0; i <= text.size(); ++i) {
    std::string with = text;
    with.insert(i, "\xc3");
    HeaderScanner s;
    s.feed(with);
    s.feed("and more of it");
    EXPECT_TRUE(s.eight_bit()) << i;
  }
}

// pinning-protocol 6: headers, and nothing of the body.
TEST(HeaderOf, EndsWhereTheHeaderDoes) {
  const struct {
    const char* text;
    const char* header;
    const char* why;
  } cases[] = {
      {"a: b\r\n\tc\r\nd : e\r\n\r\nf: g\r\n", "a: b\r\n\tc\r\nd : e\r\n", "the empty line"},
      {"a: b\r\nd: e\r\n", "a: b\r\nd: e\r\n", "header only"},
      {"a: b\r\nd: e", "a: b\r\n", "the last field is not whole"},
      {"a: b\r\nd: e\r\n f", "a: b\r\n", "nor with half a line behind it"},
      {"a: b\r\ndear friend,\r\nd: e\r\n", "a: b\r\n", "a line of the body, though nothing parts them"},
      {"dear friend: b\r\n\r\n", "", "a blank in the name"},
      {": b\r\n\r\n", "", "no name"},
      {" a: b\r\n\r\n", "", "a continuation of nothing"},
      {"\r\na: b\r\n", "", "no header"},
      {"", "", "nothing"},
  };
  for (const auto& c : cases) EXPECT_EQ(header_of(c.text), c.header) << c.why;
}

TEST(HeaderOf, ALongOneIsCutBetweenFields) {
  const std::string first = "a: " + std::string(kMaxHeader / 2, 'x') + "\r\n";
  const std::string second = "b: " + std::string(kMaxHeader / 4, 'x') + "\r\n";
  const std::string rest = "\t" + std::string(kMaxHeader, 'x') + "\r\nc: short\r\n\r\n";
  EXPECT_EQ(header_of(first + second + rest), first);
}

}  // namespace
}  // namespace pinnace::mime
