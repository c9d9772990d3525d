#include "io/proxy_header.hpp"

#include <fmt/format.h>

namespace pinnace::io {
namespace {

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string two_octets(std::size_t n) { return {static_cast<char>(n >> 8), static_cast<char>(n & 255)}; }

std::uint16_t number_at(std::string_view s, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(s[at]) << 8 |
                                    static_cast<unsigned char>(s[at + 1]));
}

std::string octets_of(const IpAddress& a, bool v4) {
  const auto* bytes = reinterpret_cast<const char*>(a.bytes().data());
  if (v4 || !a.is_v4()) return {bytes, v4 ? std::size_t(4) : std::size_t(16)};
  return std::string(10, '\0') + "\xff\xff" + std::string(bytes, 4);
}

IpAddress address_at(std::string_view s, std::size_t at, bool v4) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(s.data() + at);
  return v4 ? IpAddress::v4(bytes) : IpAddress::v6(bytes);
}

Task<base::Result<std::string>> read_exactly(Stream& stream, std::size_t size) {
  std::string out;
  char buffer[512];
  while (out.size() < size) {
    const std::size_t most = std::min(size - out.size(), sizeof buffer);
    const auto n = co_await stream.read_some(buffer, most);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0)
      co_return base::fail("io.proxy", stream.peer() + " closed the connection in its PROXY header");
    out.append(buffer, *n);
  }
  co_return out;
}

}  // namespace

std::string proxy_header(const Endpoint& client, const Endpoint& local) {
  const bool v4 = client.address.is_v4() && local.address.is_v4();
  const std::string rest = octets_of(client.address, v4) + octets_of(local.address, v4) +
                           two_octets(client.port) + two_octets(local.port);
  std::string out(kSignature);
  out += '\x21';                // version 2, PROXY
  out += v4 ? '\x11' : '\x21';  // TCP over IPv4 or IPv6
  return out + two_octets(rest.size()) + rest;
}

base::Result<std::size_t> proxy_rest(std::string_view start) {
  if (start.size() != kProxyStart || !start.starts_with(kSignature) || (start[12] & '\xf0') != '\x20')
    return base::fail("io.proxy", "no header of the PROXY protocol, version 2");
  const std::size_t rest = number_at(start, 14);
  if (rest > kMostProxy)
    return base::fail("io.proxy", fmt::format("a PROXY header of {} octets: {} are taken", rest, kMostProxy));
  return rest;
}

base::Result<Proxied> parse_proxy_header(std::string_view start, std::string_view rest) {
  const auto length = proxy_rest(start);
  if (!length) return std::unexpected(length.error());
  const int command = start[12] & 15;
  const int family = static_cast<unsigned char>(start[13]) >> 4, transport = start[13] & 15;
  Proxied out;
  out.own = command == 0;  // what stands behind it means nothing then, not even the family
  if (*length != rest.size() || command > 1 || (!out.own && (family > 3 || transport > 2)))
    return base::fail("io.proxy", "a PROXY header whose command or family is not known");
  if (out.own || family == 0 || family == 3) return out;
  const bool v4 = family == 1;
  const std::size_t size = v4 ? 4 : 16;
  if (transport != 1 || rest.size() < 2 * size + 4)
    return base::fail("io.proxy", "a PROXY header that names no TCP connection");
  out.client = Endpoint{address_at(rest, 0, v4), number_at(rest, 2 * size), {}};
  out.local = Endpoint{address_at(rest, size, v4), number_at(rest, 2 * size + 2), {}};
  return out;
}

Task<base::Result<Proxied>> read_proxy_header(Stream& stream) {
  const auto start = co_await read_exactly(stream, kProxyStart);
  if (!start) co_return std::unexpected(start.error());
  const auto size = proxy_rest(*start);
  if (!size) co_return std::unexpected(size.error());
  const auto rest = co_await read_exactly(stream, *size);
  if (!rest) co_return std::unexpected(rest.error());
  co_return parse_proxy_header(*start, *rest);
}

}  // namespace pinnace::io
