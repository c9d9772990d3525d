#include "base/sha256.hpp"

#include <gtest/gtest.h>

namespace pinnace::base {
namespace {

// The examples of NIST's "SHA256.pdf" and of FIPS 180-2, appendix B.
TEST(Sha256, GivesTheDigestsOfTheStandardsExamples) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Every length of the last block, where the padding needs one block more and where not.
TEST(Sha256, TakesEveryLength) {
  std::string all;
  for (std::size_t n = 0; n < 200; ++n) all += sha256(std::string(n, 'x'));
  EXPECT_EQ(hex(sha256(all)), "f5e61141898898cdabae3590cb32e1901b40bdc59952302926213a44c105c129");
}

TEST(Hex, PutsASeparatorBetweenOctets) {
  EXPECT_EQ(hex(std::string_view("\x00\xff\x1a", 3), ":"), "00:ff:1a");
  EXPECT_EQ(hex(""), "");
}

}  // namespace
}  // namespace pinnace::base
