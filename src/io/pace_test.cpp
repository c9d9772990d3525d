#include "io/pace.hpp"

#include <gtest/gtest.h>

namespace pinnace::io {
namespace {

using namespace std::chrono_literals;

TEST(Pace, EachOctetBuysTimeAndEachWaitCostsIt) {
  const Steady::time_point now{};
  const Steady::time_point never = now + 24h;
  Pace pace({.least = 500, .grace = 60s});
  EXPECT_EQ(pace.deadline(now, never), now + 60s);
  EXPECT_EQ(pace.deadline(now, now + 5s), now + 5s) << "another end may come first";
  pace.received(5000, 4s);  // ten seconds' worth
  EXPECT_EQ(pace.deadline(now, never), now + 66s);
  for (int i = 0; i < 60; ++i) pace.received(1, 1s);  // an octet a second keeps nobody in
  EXPECT_LT(pace.deadline(now, never), now + 7s);
  pace.received(1, 7s);
  EXPECT_LT(pace.deadline(now, never), now);
}

TEST(Pace, NoLeastRateIsNoBound) {
  const Steady::time_point now{};
  Pace pace({.least = 0, .grace = 1s});
  pace.received(1, 1h);
  EXPECT_EQ(pace.deadline(now, now + 24h), now + 24h);
}

}  // namespace
}  // namespace pinnace::io
