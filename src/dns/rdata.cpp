#include "dns/rdata.hpp"

#include <algorithm>

#include "names/domain.hpp"

namespace pinnace::dns {

std::optional<std::string> parse_name(std::string_view wire) {
  std::string out;
  for (;;) {
    if (wire.empty()) return std::nullopt;
    const auto size = static_cast<unsigned char>(wire[0]);
    wire.remove_prefix(1);
    if (size == 0) break;
    // RFC 1035 4.1.4: the two upper bits are compression, which RDATA handed to us never has.
    if (size > 63 || size > wire.size() || out.size() + size > 253) return std::nullopt;
    const std::string_view label = wire.substr(0, size);
    const auto odd = [](char c) { return c == '.' || static_cast<unsigned char>(c) > 127; };
    if (std::any_of(label.begin(), label.end(), odd)) return std::nullopt;
    if (!out.empty()) out += '.';
    out += label;
    wire.remove_prefix(size);
  }
  if (!wire.empty()) return std::nullopt;
  if (out.empty()) return out;
  const auto name = names::Domain::parse(out);
  if (!name) return std::nullopt;
  return name->str();
}

std::optional<Mx> parse_mx(std::string_view rdata) {
  if (rdata.size() < 3) return std::nullopt;
  const auto host = parse_name(rdata.substr(2));
  if (!host) return std::nullopt;
  const int preference = static_cast<unsigned char>(rdata[0]) << 8 | static_cast<unsigned char>(rdata[1]);
  return Mx{static_cast<std::uint16_t>(preference), *host};
}

std::optional<io::IpAddress> parse_a(std::string_view rdata) {
  if (rdata.size() != 4) return std::nullopt;
  return io::IpAddress::v4(reinterpret_cast<const std::uint8_t*>(rdata.data()));
}

std::optional<io::IpAddress> parse_aaaa(std::string_view rdata) {
  if (rdata.size() != 16) return std::nullopt;
  return io::IpAddress::v6(reinterpret_cast<const std::uint8_t*>(rdata.data()));
}

std::optional<std::string> parse_txt(std::string_view rdata) {
  if (rdata.empty()) return std::nullopt;
  std::string out;
  while (!rdata.empty()) {
    const auto size = static_cast<unsigned char>(rdata[0]);
    rdata.remove_prefix(1);
    if (size > rdata.size()) return std::nullopt;
    out += rdata.substr(0, size);
    rdata.remove_prefix(size);
  }
  return out;
}

}  // namespace pinnace::dns
