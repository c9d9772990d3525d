#include "sts/cached.hpp"

#include <gtest/gtest.h>

namespace pinnace::sts {
namespace {

using namespace std::chrono_literals;

Cached sample() {
  Cached c;
  c.domain = "x.test";
  c.id = "20261124";
  c.body = "version: STSv1\nmode: enforce\nmx: *.x.test\nmax_age: 60\n";
  c.policy = parse_policy(c.body).policy.value();
  c.fetched = base::Time(1'000'000h);
  c.refresh = c.fetched + 30s;
  return c;
}

TEST(Cached, ComesBackAsItWasWritten) {
  const Cached c = sample();
  const auto back = Cached::decode(c.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->domain, c.domain);
  EXPECT_EQ(back->id, c.id);
  EXPECT_EQ(back->body, c.body);
  EXPECT_EQ(back->fetched, c.fetched);
  EXPECT_EQ(back->refresh, c.refresh);
  EXPECT_TRUE(back->policy.lists("a.x.test"));
}

TEST(Cached, DamageIsAnError) {
  const std::string record = sample().encode();
  for (std::size_t size = 0; size < record.size(); ++size) {
    EXPECT_FALSE(Cached::decode(record.substr(0, size))) << size;
  }
  EXPECT_FALSE(Cached::decode(record + "x"));
  EXPECT_FALSE(Cached::decode("\2" + record.substr(1))) << "a version to come";
  for (const base::Time when : {base::Time::min(), base::Time::max()}) {
    Cached absurd = sample();
    absurd.fetched = when;
    EXPECT_FALSE(Cached::decode(absurd.encode())) << "no such time";
  }
}

// RFC 8461 3.2
TEST(Cached, LivesForItsMaxAge) {
  const Cached c = sample();
  base::ManualClock clock(c.fetched);
  EXPECT_TRUE(c.live(clock.now()));
  clock.advance(59999ms);
  EXPECT_TRUE(c.live(clock.now()));
  clock.advance(1ms);
  EXPECT_FALSE(c.live(clock.now()));
}

}  // namespace
}  // namespace pinnace::sts
