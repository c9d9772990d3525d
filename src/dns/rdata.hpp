// The wire form of DNS data (RFC 1035 3.3, 4.1), read strictly: what is cut or malformed is
// nothing at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/address.hpp"

namespace pinnace::dns {

struct Mx {
  std::uint16_t preference = 0;
  std::string host;  // lower case, no trailing dot; empty for the root: "no mail" (RFC 7505)
};

std::optional<Mx> parse_mx(std::string_view rdata);
std::optional<io::IpAddress> parse_a(std::string_view rdata);
std::optional<io::IpAddress> parse_aaaa(std::string_view rdata);

// RFC 1035 3.3.14: one or more strings, joined without a blank (RFC 8461 3.1).
std::optional<std::string> parse_txt(std::string_view rdata);

// An uncompressed domain name that takes all of `wire`. Labels of letters, digits, '-' and '_' only:
// others cannot be a mail host.
std::optional<std::string> parse_name(std::string_view wire);

}  // namespace pinnace::dns
