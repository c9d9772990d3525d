#include "base/sip_hash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pinnace::base {
namespace {

// The vectors of its authors: the key is the octets 0 to 15, the text those from 0 on.
TEST(SipHash, GivesItsAuthorsVectors) {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const struct {
    std::size_t length;
    std::uint64_t hash;
  } cases[] = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}};
  for (const auto& c : cases) {
    std::string text;
    for (std::size_t i = 0; i < c.length; ++i) text += static_cast<char>(i);
    EXPECT_EQ(sip_hash(key, text), c.hash) << c.length;
  }
}

}  // namespace
}  // namespace pinnace::base
