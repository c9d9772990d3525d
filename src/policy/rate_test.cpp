#include "policy/rate.hpp"

#include <gtest/gtest.h>

namespace pinnace::policy {
namespace {

TEST(Rate, IsANumberAndATime) {
  for (const char* good : {"1/s", "10/s", "100/min", "5000/h", "1000000/h"}) {
    const auto rate = Rate::parse(good);
    ASSERT_TRUE(rate) << good;
    EXPECT_EQ(rate->str(), good);
  }
  EXPECT_EQ(Rate::parse("100/min").value(), (Rate{100, base::Seconds(60)}));
  for (const char* bad : {"", "/", "100", "100/", "/min", "0/s", "-1/s", "1.5/s", "+1/s", "100/minute",
                          "100/d", "100 / min", "1000001/h", "99999999999/s", "1/s/s"}) {
    EXPECT_FALSE(Rate::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace pinnace::policy
