// IP addresses, networks and the endpoints that a configuration names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::io {

// An IPv4 or IPv6 address. A v4-mapped IPv6 address is kept as IPv4.
class IpAddress {
 public:
  static base::Result<IpAddress> parse(std::string_view text);  // no brackets, no port
  static IpAddress v4(const std::uint8_t bytes[4]);
  static IpAddress v6(const std::uint8_t bytes[16]);

  bool is_v4() const { return v4_; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // IPv4: the first four
  std::string str() const;
  // Whoever has this address has all that give the same: of IPv6 a /64 (RFC 4291 2.5.4).
  IpAddress party() const;
  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

// "192.0.2.0/24", "2001:db8::/32"; an address alone is a network of one.
class Network {
 public:
  static base::Result<Network> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  int bits_ = 0;
};

// Where to listen or connect: "192.0.2.1:25", "[2001:db8::1]:25" or "unix:/run/x.sock".
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  std::string unix_path;  // not empty: a UNIX socket, and the others mean nothing

  static base::Result<Endpoint> parse(std::string_view text);
  std::string str() const;
};

}  // namespace pinnace::io
