#include "mime/tls_required.hpp"

#include <gtest/gtest.h>

#include <string>

#include "mime/header.hpp"

namespace pinnace::mime {
namespace {

// RFC 8689 3: "TLS-Required:" [FWS] "No" CRLF
TEST(TlsRequired, OnlyTheFieldAsItIsDefinedAtEveryCut) {
  const struct {
    std::string text;
    bool no;
    const char* why;
  } cases[] = {
      {"TLS-Required: No\r\n\r\n", true, "the usual form"},
      {"TLS-Required:No\r\n\r\n", true, "FWS is optional"},
      {"tls-REQUIRED: nO\r\n\r\n", true, "RFC 5234 2.3: in any case"},
      {"TLS-Required: \t  No\r\n\r\n", true, "any blanks"},
      {"TLS-Required:\r\n No\r\n\r\n", true, "a fold"},
      {"TLS-Required: \r\n\tNo\r\n\r\n", true, "a fold behind a blank"},
      {"TLS-Required: \r\n \r\n No\r\n\r\n", true, "RFC 5322 4.2: an old fold"},
      {"a: b\r\n c\r\nTLS-Required: No\r\nd: e\r\n\r\nbody\r\n", true, "among others"},
      {"a : b\r\nTLS-Required: No\r\n\r\n", true, "RFC 5322 4.5: behind an old field"},
      {"TLS-Required: No\r\n", true, "no body and no empty line"},
      {"TLS-Required: No\r\ndear friend,\r\n", true, "a body that nothing parts from it"},
      {"TLS-Required: Yes\r\n\r\n", false, "no other value is defined"},
      {"TLS-Required: None\r\n\r\n", false, "longer"},
      {"TLS-Required: N\r\n\r\n", false, "shorter"},
      {"TLS-Required:\r\n\r\n", false, "empty"},
      {"TLS-Required: N o\r\n\r\n", false, "a blank within"},
      {"TLS-Required: N\r\n o\r\n\r\n", false, "a fold within"},
      {"TLS-Required: No \r\n\r\n", false, "a blank behind"},
      {"TLS-Required: No\r\n \r\n\r\n", false, "a fold behind"},
      {"TLS-Required: No\r\n way\r\n\r\n", false, "more behind a fold"},
      {"TLS-Required: No (really)\r\n\r\n", false, "no comments"},
      {"TLS-Required : No\r\n\r\n", false, "a blank in front of the colon"},
      {"X-TLS-Required: No\r\n\r\n", false, "another field"},
      {"TLS-Required-X: No\r\n\r\n", false, "another field"},
      {"TLS-Require: No\r\n\r\n", false, "another field"},
      {"a: b\r\n TLS-Required: No\r\n\r\n", false, "a continuation"},
      {"a: TLS-Required: No\r\n\r\n", false, "another field's value"},
      {"a: b\r\n\r\nTLS-Required: No\r\n", false, "the body"},
      {"\r\nTLS-Required: No\r\n\r\n", false, "the body of a message without header"},
      {"a: b\r\ndear friend,\r\nTLS-Required: No\r\n", false, "the body, though nothing parts it"},
      {" a\r\nTLS-Required: No\r\n\r\n", false, "a body that begins with a blank"},
      {": a\r\nTLS-Required: No\r\n\r\n", false, "a field has a name"},
      {"\xc3\xbc: a\r\nTLS-Required: No\r\n\r\n", false, "a name is ASCII"},
      {"TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", true, "the first counts"},
      {"TLS-Required: No\r\nTLS-Required: No\r\n\r\n", true, "the first counts"},
      {"TLS-Required: Yes\r\nTLS-Required: No\r\n\r\n", false, "the first counts"},
      {"", false, "nothing"},
  };
  for (const auto& c : cases) {
    for (std::size_t i = 0; i <= c.text.size(); ++i) {
      HeaderScanner s;
      s.feed(c.text.substr(0, i));
      s.feed(c.text.substr(i));
      EXPECT_EQ(s.tls_required_no(), c.no) << c.why << ", cut at " << i << ": " << c.text;
    }
    TlsRequiredReader octets;
    for (const char o : c.text) octets.feed({&o, 1});
    EXPECT_EQ(octets.no(), c.no) << c.why << ", octet by octet";
  }
}

TEST(TlsRequired, BehindFieldsOfAnyLength) {
  TlsRequiredReader r;
  r.feed("a: ");
  for (int i = 0; i < 100; ++i) r.feed(std::string(10'000, 'x'));
  r.feed("\r\n" + std::string(100'000, 'y') + ": z\r\nTLS-Required:");
  for (int i = 0; i < 100; ++i) r.feed("\r\n" + std::string(900, ' '));
  r.feed("No");
  EXPECT_FALSE(r.no()) << "not at its end yet";
  r.feed("\r\n\r\n");
  EXPECT_TRUE(r.no());
}

}  // namespace
}  // namespace pinnace::mime
