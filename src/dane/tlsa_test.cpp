#include "dane/tlsa.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::dane {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tlsa record(int usage, int selector, int matching, std::size_t size) {
  return {static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector),
          static_cast<std::uint8_t>(matching), std::string(size, 'x'), true};
}

// RFC 6698 2.1
TEST(Tlsa, WireFormIsReadWholeOrNotAtAll) {
  const auto r = Tlsa::parse_wire(std::string_view("\x03\x01\x01\xab\xcd", 5));
  ASSERT_TRUE(r);
  EXPECT_EQ(r->str(), "3 1 1 abcd");
  for (const std::size_t cut : {0U, 1U, 2U, 3U})
    EXPECT_FALSE(Tlsa::parse_wire(std::string(cut, '\1'))) << cut;
  EXPECT_FALSE(Tlsa::parse_wire(std::string(20000, '\1')));
}

// RFC 6698 2.2
TEST(Tlsa, PresentationForm) {
  struct Case {
    const char* why;
    const char* text;
    const char* expected;  // a part of the error where it begins with '!'
  };
  const Case cases[] = {
      {"plain", "3 1 1 ABcd", "3 1 1 abcd"},
      {"hex in pieces", "3 1 1 ( ab\n cd )", "3 1 1 abcd"},
      {"a whole record", "_25._tcp.mx.x.test. 60 IN TLSA 2 0 2 00", "2 0 2 00"},
      {"lower case type", "mx tlsa 3 0 1 ff\r\n", "3 0 1 ff"},
      {"odd digits", "3 1 1 abc", "!odd"},
      {"no hex", "3 1 1 xyz", "!hexadecimal"},
      {"no data", "3 1 1", "!four fields"},
      {"usage too large", "256 1 1 ab", "!certificate usage"},
      {"a word for a number", "3 spki 1 ab", "!selector"},
      {"nothing", "", "!four fields"},
      {"a TTL and a class in the other order", "x IN 60 TLSA 3 1 1 ab", "3 1 1 ab"},
      {"no owner", " IN TLSA 3 1 1 ab", "3 1 1 ab"},
      {"an owner named as the type", "tlsa IN TLSA 3 1 1 ab", "3 1 1 ab"},
      {"only the type", "TLSA 3 1 1 ab", "3 1 1 ab"},
      {"the RFC's form", "_443._tcp.x.test. IN TLSA (\n 0 0 1 d2ab ; a CA\n  e240 )\n", "0 0 1 d2abe240"},
      {"a comment", "3 1 1 ab ; 3 1 1 cd", "3 1 1 ab"},
      {"lines of nothing but comments", "; key of 2026\n\n3 1 1 ab\n;\n \n", "3 1 1 ab"},
      {"leading zeros", "003 01 1 ab", "3 1 1 ab"},
      {"a digit alone", "3 1 1 a b", "3 1 1 ab"},
      {"two records", "3 1 1 ab\n3 1 1 cd\n", "!one record"},
      {"hex on another line", "3 1 1 ab\ncd", "!one record"},
      {"an open parenthesis", "3 1 1 ( ab", "!parenthesis"},
      {"a closing one alone", "3 1 1 ab )", "!parenthesis"},
      {"a line's end within the hex that is none", "3 1 1 ab\rcd", "!hexadecimal"},
      {"another class", "x CH TLSA 3 1 1 ab", "!nothing else"},
      {"words in front", "see x TLSA 3 1 1 ab", "!nothing else"},
      {"two TTLs", "x 60 60 TLSA 3 1 1 ab", "!nothing else"},
      {"another type", "x IN TXT 3 1 1 ab", "!certificate usage"},
      {"names of RFC 7218", "DANE-EE SPKI SHA2-256 ab", "!certificate usage"},
      {"a negative usage", "-1 1 1 ab", "!certificate usage"},
      {"a sign", "+3 1 1 ab", "!certificate usage"},
      {"a hexadecimal usage", "0x3 1 1 ab", "!certificate usage"},
      {"the largest numbers", "255 255 255 ab", "255 255 255 ab"},
      {"behind the hex", "3 1 1 ab trailing", "!hexadecimal"},
      {"0x", "3 1 1 0xab", "!hexadecimal"},
      {"colons", "3 1 1 ab:cd", "!hexadecimal"},
  };
  for (const Case& c : cases) {
    const auto r = Tlsa::parse_text(c.text);
    if (*c.expected == '!') {
      ASSERT_FALSE(r) << c.why;
      EXPECT_THAT(r.error().detail, HasSubstr(c.expected + 1)) << c.why;
    } else {
      ASSERT_TRUE(r) << c.why;
      EXPECT_EQ(r->str(), c.expected) << c.why;
    }
  }
}

// RFC 7672 3.1
TEST(Tlsa, WhatCanAuthenticateAnSmtpServer) {
  struct Case {
    const char* why;
    Tlsa record;
    bool usable;
  };
  const Case cases[] = {
      {"PKIX-TA", record(0, 0, 1, 32), false},
      {"PKIX-EE", record(1, 1, 1, 32), false},
      {"DANE-TA", record(2, 0, 1, 32), true},
      {"DANE-EE", record(3, 1, 1, 32), true},
      {"SHA2-512", record(3, 1, 2, 64), true},
      {"full", record(3, 0, 0, 300), true},
      {"unknown usage", record(4, 1, 1, 32), false},
      {"unknown selector", record(3, 2, 1, 32), false},
      {"unknown type", record(3, 1, 3, 32), false},
      {"a digest too short", record(3, 1, 1, 31), false},
      {"a digest too long", record(3, 1, 2, 65), false},
  };
  for (const Case& c : cases) EXPECT_EQ(why_unusable(c.record).empty(), c.usable) << c.why;
}

// RFC 7671 9: per usage and selector, and full values always.
TEST(Tlsa, DigestAgility) {
  const Tlsa ee256 = record(3, 1, 1, 32), ee512 = record(3, 1, 2, 64), ta256 = record(2, 1, 1, 32),
             cert256 = record(3, 0, 1, 32), full = record(3, 1, 0, 91), broken512 = record(2, 1, 2, 3);
  EXPECT_THAT(usable({ee256, ee512}), ElementsAre(ee512));
  EXPECT_THAT(usable({ee256, ee512, ta256, cert256, full}), ElementsAre(ee512, ta256, cert256, full));
  EXPECT_THAT(usable({ta256, broken512}), ElementsAre(ta256)) << "an unusable record weakens nothing";
}

// RFC 7672 2.2.2
TEST(Tlsa, BaseDomains) {
  struct Case {
    const char* why;
    Expansion expansion;
    std::vector<std::string> expected;
  };
  const Case cases[] = {
      {"no alias, secure", {"mx", "", true, false}, {"mx"}},
      {"no alias, insecure", {"mx", "mx", false, false}, {}},
      {"secure alias: expanded, then original", {"mx", "real", true, false}, {"real", "mx"}},
      {"a secure alias to an insecure name", {"mx", "real", false, true}, {"mx"}},
      {"an insecure alias", {"mx", "real", false, false}, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(base_domains(c.expansion), c.expected) << c.why;
  EXPECT_EQ(owner("mx.x.test", 25), "_25._tcp.mx.x.test");
}

// RFC 7672 2.2.3, RFC 6698 3 and 4
TEST(Tlsa, OwnerHasThePortOfTheConnection) {
  EXPECT_EQ(owner("mx.x.test", 2525), "_2525._tcp.mx.x.test");
  EXPECT_EQ(owner("mx.x.test", 65535), "_65535._tcp.mx.x.test");
}

}  // namespace
}  // namespace pinnace::dane
