#include "discovery/next_hops.hpp"

#include <gtest/gtest.h>

namespace pinnace::discovery {
namespace {

TEST(NextHop, Parse) {
  const struct {
    const char* text;
    const char* str;  // empty: none
    const char* binding;
  } cases[] = {
      {"mail.example.net:587", "mail.example.net:587", "mail.example.net:587"},
      {"MAIL.Example.Net:25", "mail.example.net:25", "mail.example.net"},
      {"192.0.2.1:24", "[192.0.2.1]:24", "[192.0.2.1]:24"},
      {"[192.0.2.1]:25", "[192.0.2.1]:25", "[192.0.2.1]"},
      {"[2001:db8::1]:24", "[2001:db8::1]:24", "[2001:db8::1]:24"},
      {"unix:/run/dovecot/lmtp", "unix:/run/dovecot/lmtp", "unix:/run/dovecot/lmtp"},
      {"2001:db8::1:24", "", ""},
      {"mail.example.net", "", ""},
      {"mail.example.net:", "", ""},
      {"mail.example.net:0", "", ""},
      {"mail.example.net:65536", "", ""},
      {"mail.example.net:25x", "", ""},
      {"[mail.example.net]:25", "", ""},
      {":25", "", ""},
      {"", "", ""},
      {"unix:", "", ""},
      {"unix:lmtp", "", ""},
      {"bad name:25", "", ""},
  };
  for (const auto& c : cases) {
    const auto hop = NextHop::parse(c.text);
    EXPECT_EQ(hop ? hop->str() : "", c.str) << c.text;
    if (hop) EXPECT_EQ(hop->binding(), c.binding) << c.text;
    if (hop) EXPECT_EQ(NextHop::parse(hop->str()).value().str(), c.str) << "it can be read again";
  }
}

FixedRoute route(const char* domain, const char* hop) {
  return {*policy::NamePattern::parse(domain), FixedRoute::Protocol::lmtp, {*NextHop::parse(hop)}};
}

TEST(FixedRoutes, TheMostSpecificHolds) {
  const auto routes = FixedRoutes::make({route("*", "a.test:1"), route("*.x.test", "b.test:1"),
                                         route("*.y.x.test", "c.test:1"), route("y.x.test", "d.test:1")});
  ASSERT_TRUE(routes);
  const std::pair<const char*, const char*> cases[] = {
      {"x.test", "a.test:1"},     {"y.x.test", "d.test:1"}, {"z.x.test", "b.test:1"},
      {"a.y.x.test", "c.test:1"}, {"ax.test", "a.test:1"},  {"[192.0.2.1]", "a.test:1"},
  };
  for (const auto& [domain, hop] : cases) {
    const auto found = routes->find(domain);
    ASSERT_TRUE(found) << domain;
    EXPECT_EQ(found->hops.front().str(), hop) << domain;
    EXPECT_TRUE(found->find(hop));
    EXPECT_FALSE(found->find("other.test:1"));
  }
  EXPECT_FALSE(FixedRoutes().find("x.test"));
  EXPECT_FALSE(FixedRoutes::make({route("x.test", "a.test:1"), route("x.test", "b.test:1")}));
}

}  // namespace
}  // namespace pinnace::discovery
