#include "http/public_address.hpp"

#include <algorithm>
#include <vector>

namespace pinnace::http {
namespace {

struct Special {
  io::Network network;
  std::string_view what;
};

Special special(std::string_view network, std::string_view what) {
  return {io::Network::parse(network).value(), what};
}

// RFC 6890 and the two IANA registries that it began.
const std::vector<Special>& special_networks() {
  static const std::vector<Special> kNetworks = {
      special("0.0.0.0/8", "an address of \"this network\""),
      special("10.0.0.0/8", "a private address"),
      special("100.64.0.0/10", "an address behind a carrier's NAT"),
      special("127.0.0.0/8", "a loopback address"),
      special("169.254.0.0/16", "a link-local address"),
      special("172.16.0.0/12", "a private address"),
      special("192.0.0.0/24", "an address of the IETF's protocols"),
      special("192.0.2.0/24", "an address for documentation"),
      special("192.88.99.0/24", "a 6to4 relay's address"),
      special("192.168.0.0/16", "a private address"),
      special("198.18.0.0/15", "an address for benchmarks"),
      special("198.51.100.0/24", "an address for documentation"),
      special("203.0.113.0/24", "an address for documentation"),
      special("224.0.0.0/4", "a multicast address"),
      special("240.0.0.0/4", "a reserved address"),
      special("::/128", "the unspecified address"),
      special("::1/128", "a loopback address"),
      special("::/96", "an IPv4-compatible address"),
      special("64:ff9b:1::/48", "an address of a local NAT64"),
      special("100::/64", "an address that discards"),
      // Teredo, benchmarks, ORCHID and their like: no server is reached there.
      special("2001::/23", "an address of the IETF's protocols"),
      special("2001:db8::/32", "an address for documentation"),
      special("3fff::/20", "an address for documentation"),
      special("fc00::/7", "a unique local address"),
      special("fe80::/10", "a link-local address"),
      special("fec0::/10", "a site-local address"),
      special("ff00::/8", "a multicast address"),
  };
  return kNetworks;
}

struct Carrier {
  io::Network network;
  std::size_t at;  // of the IPv4 address's first octet
};

const std::vector<Carrier>& carriers() {
  static const std::vector<Carrier> kCarriers = {
      {io::Network::parse("64:ff9b::/96").value(), 12},  // RFC 6052 2.1
      {io::Network::parse("2002::/16").value(), 2},      // RFC 3056 2
  };
  return kCarriers;
}

}  // namespace

std::string_view not_public(const io::IpAddress& address) {
  for (const Special& s : special_networks()) {
    if (s.network.contains(address)) return s.what;
  }
  if (address.is_v4()) return {};
  for (const Carrier& c : carriers()) {
    if (c.network.contains(address)) return not_public(io::IpAddress::v4(address.bytes().data() + c.at));
  }
  static const io::Network kGlobal = io::Network::parse("2000::/3").value();  // RFC 4291 2.4
  return kGlobal.contains(address) ? std::string_view() : "a reserved address";
}

bool may_connect(const io::IpAddress& address, std::span<const io::Network> allowed) {
  return not_public(address).empty() ||
         std::any_of(allowed.begin(), allowed.end(), [&](const auto& n) { return n.contains(address); });
}

}  // namespace pinnace::http
