#include "base/hex.hpp"

#include <gtest/gtest.h>

namespace pinnace::base {
namespace {

TEST(Hex, PutsASeparatorBetweenOctets) {
  EXPECT_EQ(hex(std::string_view("\x00\xff\x1a", 3), ":"), "00:ff:1a");
  EXPECT_EQ(hex(""), "");
}

}  // namespace
}  // namespace pinnace::base
