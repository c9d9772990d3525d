#include "gate/limits.hpp"

#include <gtest/gtest.h>

namespace pinnace::gate {
namespace {

using namespace std::chrono_literals;

const base::Time kNow = base::Time(std::chrono::hours(24 * 20000));

io::IpAddress at(const char* text) { return io::IpAddress::parse(text).value(); }

std::size_t let_in(Limits& limits, const char* address, std::size_t tries, base::Time now) {
  std::size_t in = 0;
  for (std::size_t i = 0; i < tries; ++i) in += limits.enter(at(address), now).empty();
  return in;
}

TEST(Limits, SessionsOfAllAndOfOneClient) {
  Limits limits({3, {2, 0}, {}});
  EXPECT_EQ(let_in(limits, "192.0.2.1", 5, kNow), 2u);
  EXPECT_EQ(let_in(limits, "192.0.2.2", 5, kNow), 1u) << "3 of all";
  limits.leave(at("192.0.2.1"));
  EXPECT_EQ(limits.sessions(), 2u);
  EXPECT_EQ(let_in(limits, "192.0.2.1", 5, kNow), 1u);
}

// RFC 4291 2.5.4: a /64 is one party's.
TEST(Limits, OfIpv6TheNetworkIsTheClient) {
  Limits limits({100, {2, 0}, {}});
  EXPECT_EQ(let_in(limits, "2001:db8::1", 1, kNow), 1u);
  EXPECT_EQ(let_in(limits, "2001:db8::2", 5, kNow), 1u);
  EXPECT_EQ(let_in(limits, "2001:db8:0:1::1", 5, kNow), 2u);
}

TEST(Limits, ConnectionsInAMinute) {
  Limits limits({100, {100, 3}, {}});
  EXPECT_EQ(let_in(limits, "192.0.2.1", 3, kNow), 3u);
  for (int i = 0; i < 3; ++i) limits.leave(at("192.0.2.1"));
  EXPECT_EQ(limits.enter(at("192.0.2.1"), kNow + 59s), "too many connections in a minute");
  EXPECT_EQ(let_in(limits, "192.0.2.2", 1, kNow + 59s), 1u) << "another's";
  EXPECT_EQ(let_in(limits, "192.0.2.1", 5, kNow + 60s), 3u);
}

TEST(Limits, ANetworkHasItsOwn) {
  const auto inside = io::Network::parse("10.0.0.0/8").value();
  Limits limits({100, {1, 1}, {{{inside}, {10, 0}, 4, 6}}});
  EXPECT_EQ(let_in(limits, "192.0.2.1", 5, kNow), 1u) << "no member";
  EXPECT_EQ(let_in(limits, "10.1.1.1", 3, kNow), 3u);
  EXPECT_EQ(let_in(limits, "10.2.2.2", 3, kNow), 1u) << "4 of the network";
  for (int i = 0; i < 3; ++i) limits.leave(at("10.1.1.1"));
  limits.leave(at("10.2.2.2"));
  EXPECT_EQ(let_in(limits, "10.3.3.3", 9, kNow), 2u) << "6 in the minute";
  EXPECT_EQ(let_in(limits, "10.3.3.3", 9, kNow + 60s), 2u) << "4 at once";
}

TEST(Limits, AFloodOfAddressesIsBounded) {
  Limits limits({10, {10, 1}, {}});
  for (std::uint32_t i = 0; i < Limits::kMostCounted + 1000; ++i) {
    const std::uint8_t bytes[] = {10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                                  static_cast<std::uint8_t>(i)};
    const auto address = io::IpAddress::v4(bytes);
    if (limits.enter(address, kNow).empty()) limits.leave(address);
  }
  EXPECT_LE(limits.counted(), Limits::kMostCounted + 10);
  EXPECT_EQ(let_in(limits, "192.0.2.1", 1, kNow + 60s), 1u);
  EXPECT_EQ(limits.counted(), 1u) << "a minute later they are forgotten";
}

}  // namespace
}  // namespace pinnace::gate
