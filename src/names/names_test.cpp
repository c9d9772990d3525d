#include <gtest/gtest.h>

#include "names/domain.hpp"
#include "names/mail_address.hpp"

namespace pinnace::names {
namespace {

TEST(Domain, ParsedAndCanonical) {
  const std::string label63(63, 'a');
  const std::string longest = label63 + ".test";
  const struct {
    std::string text;
    const char* canonical;  // null: refused
    const char* why;
  } cases[] = {
      {"Example.COM", "example.com", "lower case"},
      {"example.com.", "example.com", "no trailing dot"},
      {"bücher.example", "xn--bcher-kva.example", "A-labels"},
      {"_tlsa.example", "_tlsa.example", "the DNS has underscores"},
      {"localhost", "localhost", "one label is a name"},
      {"1.2.3.4", nullptr, "an address is no name"},
      {"a.123", nullptr, "all-numeric top label"},
      {"", nullptr, "empty"},
      {".", nullptr, "the root"},
      {"a..b", nullptr, "empty label"},
      {".a", nullptr, "leading dot"},
      {"-a.test", nullptr, "leading hyphen"},
      {"a b.test", nullptr, "space"},
      {"a\r\nb.test", nullptr, "line end"},
      {std::string("a\0b.test", 8), nullptr, "NUL"},
      {std::string("\xc3\xbc\0b.test", 9), nullptr, "NUL behind a U-label"},
      {"\xff\xfe.test", nullptr, "not UTF-8"},
      {label63 + ".test", longest.c_str(), "63 octets"},
      {label63 + "a.test", nullptr, "64 octets"},
      {label63 + "." + label63 + "." + label63 + "." + label63, nullptr, "255 octets"},
  };
  for (const auto& c : cases) {
    const auto parsed = Domain::parse(c.text);
    ASSERT_EQ(parsed.has_value(), c.canonical != nullptr) << c.why;
    if (parsed) {
      EXPECT_EQ(parsed->str(), c.canonical) << c.why;
    }
  }
}

TEST(MailAddress, ParsedAndCanonical) {
  const std::string longest = std::string(64, 'a') + "@x.test";
  const struct {
    std::string text;
    const char* canonical;  // null: refused
    const char* why;
  } cases[] = {
      {"User@Example.COM", "User@example.com", "the local-part keeps its case"},
      {"\"user\"@example.com", "user@example.com", "needless quotes"},
      {"\"a b\"@example.com", "\"a b\"@example.com", "needed quotes"},
      {"\"a\\\"b@c\"@example.com", "\"a\\\"b@c\"@example.com", "escapes"},
      {"\"a\\b\"@example.com", "ab@example.com", "needless escape"},
      {"a@[192.0.2.1]", "a@[192.0.2.1]", "literal"},
      {"a@[ipv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]", "IPv6 literal"},
      {"a@[2001:db8::1]", nullptr, "IPv6 without its tag"},
      {"a@[192.0.2.256]", nullptr, "no address"},
      {"übung@bücher.example", "übung@xn--bcher-kva.example", "RFC 6531"},
      {"a..b@x.test", nullptr, "two dots"},
      {".a@x.test", nullptr, "leading dot"},
      {"a.@x.test", nullptr, "trailing dot"},
      {"a b@x.test", nullptr, "space"},
      {"a@b@x.test", nullptr, "two ats"},
      {"a@", nullptr, "no domain"},
      {"@x.test", nullptr, "no local-part"},
      {"a", nullptr, "neither"},
      {"\"a\"b@x.test", nullptr, "text behind the quotes"},
      {"\"a@x.test", nullptr, "open quotes"},
      {"\"a\r\nb\"@x.test", nullptr, "line end in quotes"},
      {"a\xff@x.test", nullptr, "not UTF-8"},
      {std::string(64, 'a') + "@x.test", longest.c_str(), "64"},
      {std::string(65, 'a') + "@x.test", nullptr, "RFC 5321 4.5.3.1.1"},
      {"a@x.test.", nullptr, "no trailing dot in mail"},
  };
  for (const auto& c : cases) {
    const auto parsed = MailAddress::parse(c.text);
    ASSERT_EQ(parsed.has_value(), c.canonical != nullptr) << c.why;
    if (!parsed) continue;
    EXPECT_EQ(parsed->str(), c.canonical) << c.why;
    EXPECT_EQ(MailAddress::parse(parsed->str()), *parsed) << c.why;
  }
}

}  // namespace
}  // namespace pinnace::names
