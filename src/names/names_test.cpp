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
      {"a-.test", nullptr, "trailing hyphen"},
      {"a--b.test", "a--b.test", "hyphens inside"},
      {"a..", nullptr, "two trailing dots"},
      {"[192.0.2.1]", nullptr, "an address literal"},
      {"a/b.test", nullptr, "neither letter, digit, hyphen nor underscore"},
      {"１．２．３．４", nullptr, "an address in fullwidth digits"},
      {"BÜCHER.example", "xn--bcher-kva.example", "upper case beyond ASCII"},
      {"bu\xcc\x88"
       "cher.example",
       "xn--bcher-kva.example", "decomposed"},
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
      {"a@[192.0.2.01]", nullptr, "a leading zero"},
      {"a@[]", nullptr, "nothing in the brackets"},
      {std::string("a@[192.0.2.1\0\r\nx]", 17), nullptr, "text behind a NUL in a literal"},
      {std::string("a@[IPv6:::1\0x]", 15), nullptr, "the same in IPv6"},
      {"a@[192.0.2.1", nullptr, "no closing bracket"},
      {"\"\"@x.test", "\"\"@x.test", "an empty quoted local-part"},
      {"\"a.b\"@x.test", "a.b@x.test", "a dot-string in quotes"},
      {"\".a\"@x.test", "\".a\"@x.test", "a stray dot keeps its quotes"},
      {"a\xc2\x85"
       "b@x.test",
       nullptr, "a C1 control"},
      {"\"a\x7f\"@x.test", nullptr, "DEL"},
      {"a\xc0\xaf@x.test", nullptr, "an overlong form"},
      {"a\xed\xa0\x80@x.test", nullptr, "a surrogate"},
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

TEST(MailAddress, ItsParts) {
  const auto utf8 = MailAddress::parse("übung@bücher.example").value();
  EXPECT_EQ(utf8.local(), "übung");
  EXPECT_EQ(utf8.domain(), "xn--bcher-kva.example");
  EXPECT_FALSE(utf8.is_ascii());
  EXPECT_TRUE(MailAddress::parse("a@bücher.example")->is_ascii()) << "the domain is A-labels";
  EXPECT_TRUE(MailAddress::parse("a@[192.0.2.1]")->is_literal());
  EXPECT_FALSE(utf8.is_literal());
}

// RFC 3629 3 and 4
TEST(Utf8, WellFormed) {
  const struct {
    std::string text;
    bool good;
    const char* why;
  } cases[] = {
      {"", true, "nothing"},
      {"a\xc2\x80\xdf\xbf", true, "two octets, lowest and highest"},
      {"\xe0\xa0\x80\xef\xbf\xbf", true, "three"},
      {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true, "four"},
      {"\xc1\xbf", false, "overlong of two"},
      {"\xe0\x9f\xbf", false, "overlong of three"},
      {"\xf0\x8f\xbf\xbf", false, "overlong of four"},
      {"\xed\xa0\x80", false, "the first surrogate"},
      {"\xed\xbf\xbf", false, "the last"},
      {"\xf4\x90\x80\x80", false, "beyond U+10FFFF"},
      {"\xf5\x80\x80\x80", false, "no such lead"},
      {"\x80", false, "a tail alone"},
      {"\xc3", false, "cut"},
      {"\xe2\x82", false, "cut"},
      {"\xc3(", false, "no tail"},
  };
  for (const auto& c : cases) EXPECT_EQ(is_utf8(c.text), c.good) << c.why;
}

}  // namespace
}  // namespace pinnace::names
