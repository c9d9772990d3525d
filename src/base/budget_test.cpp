#include "base/budget.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace pinnace::base {
namespace {

TEST(Budget, SharesNeverExceedItAndComeBack) {
  Budget budget(100);
  Share first(budget);
  EXPECT_TRUE(first.grow(60));
  auto second = std::make_unique<Share>(budget);
  EXPECT_FALSE(second->grow(41));
  EXPECT_EQ(second->octets(), 0u) << "what was refused is not taken";
  EXPECT_TRUE(second->grow(40));
  EXPECT_FALSE(budget.has_room(1));
  second.reset();
  EXPECT_EQ(budget.taken(), 60u);
  first.shrink_to(10);
  first.shrink_to(50);  // no growth
  EXPECT_EQ(budget.taken(), 10u);
  EXPECT_FALSE(first.grow(UINT64_MAX)) << "no wrap-around";
}

}  // namespace
}  // namespace pinnace::base
