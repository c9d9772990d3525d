#include "http/public_address.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pinnace::http {
namespace {

io::IpAddress ip(const std::string& text) { return io::IpAddress::parse(text).value(); }

TEST(PublicAddress, FirstAndLastOfEachRange) {
  const struct {
    const char* address;
    bool is_public;
  } cases[] = {
      {"0.0.0.0", false},
      {"0.255.255.255", false},
      {"1.0.0.0", true},
      {"9.255.255.255", true},
      {"10.0.0.0", false},
      {"10.255.255.255", false},
      {"11.0.0.0", true},
      {"100.63.255.255", true},
      {"100.64.0.0", false},
      {"100.127.255.255", false},
      {"100.128.0.0", true},
      {"126.255.255.255", true},
      {"127.0.0.1", false},
      {"127.77.0.9", false},
      {"128.0.0.0", true},
      {"169.253.255.255", true},
      {"169.254.169.254", false},
      {"169.255.0.0", true},
      {"172.15.255.255", true},
      {"172.16.0.0", false},
      {"172.31.255.255", false},
      {"172.32.0.0", true},
      {"192.0.0.1", false},
      {"192.0.1.0", true},
      {"192.0.2.1", false},
      {"192.88.99.1", false},
      {"192.167.255.255", true},
      {"192.168.0.0", false},
      {"192.169.0.0", true},
      {"198.17.255.255", true},
      {"198.18.0.0", false},
      {"198.19.255.255", false},
      {"198.20.0.0", true},
      {"198.51.100.7", false},
      {"203.0.113.7", false},
      {"223.255.255.255", true},
      {"224.0.0.1", false},
      {"239.255.255.255", false},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"::", false},
      {"::1", false},
      {"::7f00:1", false},          // IPv4-compatible
      {"::ffff:127.0.0.1", false},  // IPv4-mapped
      {"::ffff:10.0.0.1", false},
      {"::ffff:9.9.9.9", true},
      {"::ffff:0:127.0.0.1", false},  // IPv4-translated (RFC 2765)
      {"64:ff9b::7f00:1", false},     // NAT64 of 127.0.0.1
      {"64:ff9b::a00:1", false},
      {"64:ff9b::909:909", true},
      {"64:ff9b:0:0:0:1:909:909", false},  // outside the /96
      {"64:ff9b:1::909:909", false},
      {"100::1", false},
      {"1fff:ffff::1", false},
      {"2000::1", true},
      {"2001::7f00:1", false},  // Teredo
      {"2001:0:909:909::1", false},
      {"2001:2::1", false},  // benchmarks
      {"2001:10::1", false},
      {"2001:1ff:ffff::1", false},
      {"2001:200::1", true},
      {"2001:db8::1", false},
      {"2002:7f00:1::1", false},  // 6to4 of 127.0.0.1
      {"2002:c0a8:101::1", false},
      {"2002:909:909::1", true},
      {"2606:4700::1", true},
      {"3fff::1", false},
      {"3fff:fff:ffff::1", false},
      {"3fff:1000::1", true},
      {"4000::1", false},
      {"5f00::1", false},
      {"fbff::1", false},
      {"fc00::1", false},
      {"fdff:ffff::1", false},
      {"fe80::1", false},
      {"febf::1", false},
      {"fec0::1", false},
      {"ff02::1", false},
  };
  for (const auto& c : cases) EXPECT_EQ(not_public(ip(c.address)).empty(), c.is_public) << c.address;
}

TEST(PublicAddress, AllowedAlthoughNotPublic) {
  const std::vector<io::Network> allowed = {io::Network::parse("127.77.0.0/16").value(),
                                            io::Network::parse("fd00::1").value()};
  EXPECT_TRUE(may_connect(ip("127.77.0.1"), allowed));
  EXPECT_TRUE(may_connect(ip("fd00::1"), allowed));
  EXPECT_TRUE(may_connect(ip("9.9.9.9"), allowed));
  EXPECT_FALSE(may_connect(ip("127.78.0.1"), allowed));
  EXPECT_FALSE(may_connect(ip("fd00::2"), allowed));
  EXPECT_FALSE(may_connect(ip("127.77.0.1"), {}));
}

}  // namespace
}  // namespace pinnace::http
