#include "names/mx_pattern.hpp"

#include <gtest/gtest.h>

namespace pinnace::names {
namespace {

// RFC 8461 4.1
TEST(MxPattern, MatchesOneLabelAndNoMore) {
  const struct {
    const char* pattern;
    const char* host;
    bool matches;
  } cases[] = {
      {"mx.x.test", "mx.x.test", true},
      {"mx.x.test", "MX.X.test.", true},
      {"MX.x.test", "mx.x.test", true},
      {"mx.x.test", "a.mx.x.test", false},
      {"*.x.test", "mx.x.test", true},
      {"*.x.test", "x.test", false},
      {"*.x.test", "a.mx.x.test", false},
      {"*.x.test", ".x.test", false},
      {"*.x.test", "*.x.test", false},
      {"*.x.test", "mx.y.test", false},
      {"*.x.test", "mxx.test", false},
      {"mx.x.test", "", false},
      {"xn--bcher-kva.test", "bücher.test", true},
  };
  for (const auto& c : cases) {
    const auto pattern = MxPattern::parse(c.pattern);
    ASSERT_TRUE(pattern) << c.pattern;
    EXPECT_EQ(pattern->matches(c.host), c.matches) << c.pattern << ' ' << c.host;
  }
}

// RFC 8461 3.2
TEST(MxPattern, WhatIsNoPattern) {
  for (const char* text :
       {"", "*", "*.", "*.*.x.test", "mx*.x.test", "a.*.test", "mx.x.test.", "*x.test", "b\xc3\xbc.test",
        "mx x.test", "192.0.2.1", "-a.test", "a_b.test", "[192.0.2.1]"}) {
    EXPECT_FALSE(MxPattern::parse(text)) << text;
  }
  EXPECT_EQ(MxPattern::parse("*.X.test")->str(), "*.x.test");
}

}  // namespace
}  // namespace pinnace::names
