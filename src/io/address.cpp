#include "io/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pinnace::io {

IpAddress IpAddress::v4(const std::uint8_t bytes[4]) {
  IpAddress a;
  std::copy(bytes, bytes + 4, a.bytes_.begin());
  return a;
}

IpAddress IpAddress::v6(const std::uint8_t bytes[16]) {
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped, kMapped + 12, bytes)) return v4(bytes + 12);
  IpAddress a;
  a.v4_ = false;
  std::copy(bytes, bytes + 16, a.bytes_.begin());
  return a;
}

base::Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string s(text.substr(0, 64));
  std::uint8_t bytes[16];
  if (inet_pton(AF_INET, s.c_str(), bytes) == 1 && s.size() == text.size()) return v4(bytes);
  if (inet_pton(AF_INET6, s.c_str(), bytes) == 1 && s.size() == text.size()) return v6(bytes);
  return base::fail("io.address", fmt::format("'{}' is not an IPv4 or IPv6 address", s));
}

std::string IpAddress::str() const {
  char out[INET6_ADDRSTRLEN] = "";
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), out, sizeof out);
  return out;
}

IpAddress IpAddress::party() const {
  IpAddress out = *this;
  if (!v4_) std::fill(out.bytes_.begin() + 8, out.bytes_.end(), std::uint8_t(0));
  return out;
}

base::Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  Network network;
  network.base_ = *address;
  const int most = address->is_v4() ? 32 : 128;
  network.bits_ = most;
  if (slash != std::string_view::npos) {
    const std::string_view bits = text.substr(slash + 1);
    const auto [end, code] = std::from_chars(bits.data(), bits.data() + bits.size(), network.bits_);
    if (code != std::errc{} || end != bits.data() + bits.size() || network.bits_ < 0 ||
        network.bits_ > most) {
      return base::fail(
          "io.network",
          fmt::format("'{}' is not a network: write ADDRESS/BITS with 0 to {} bits", text, most));
    }
  }
  return network;
}

bool Network::contains(const IpAddress& address) const {
  if (address.is_v4() != base_.is_v4()) return false;
  int left = bits_;
  for (std::size_t i = 0; left > 0; ++i, left -= 8) {
    const int mask = left >= 8 ? 0xff : (0xff00 >> left) & 0xff;
    if (((address.bytes()[i] ^ base_.bytes()[i]) & mask) != 0) return false;
  }
  return true;
}

base::Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto bad = [&] {
    return base::fail("io.endpoint",
                      fmt::format("'{}' is not an endpoint: write 192.0.2.1:25, [2001:db8::1]:25 or "
                                  "unix:/path/to/socket",
                                  text));
  };
  Endpoint endpoint;
  if (text.starts_with("unix:")) {
    endpoint.unix_path = text.substr(5);
    if (endpoint.unix_path.empty() || endpoint.unix_path.size() > 107) return bad();
    return endpoint;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (!address || address->is_v4() == brackets || code != std::errc{} || end != port.data() + port.size()) {
    return bad();
  }
  endpoint.address = *address;
  return endpoint;
}

std::string Endpoint::str() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return address.is_v4() ? fmt::format("{}:{}", address.str(), port)
                         : fmt::format("[{}]:{}", address.str(), port);
}

}  // namespace pinnace::io
