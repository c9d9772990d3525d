// The next hop that Postfix asks about, in the forms of transport(5): the key of smtp_tls_policy_maps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::socketmap {

struct Destination {
  enum class Kind : std::uint8_t {
    domain,   // its MX hosts
    host,     // "[host]": that one, its MX is not asked for
    address,  // "[192.0.2.1]": of a recipient (RFC 5321 4.1.3) or of the operator's
  };
  Kind kind = Kind::domain;
  std::string name;  // canonical: as names::Domain has it; an address as names::address_literal has it
  std::optional<std::uint16_t> port;

  // "example.com", "example.com:port", "[host]", "[host]:port", "[192.0.2.1]", "[IPv6:2001:db8::1]:port"; an
  // address is one too without "IPv6:", and IPv4 without brackets, as Postfix takes them. A port may be named
  // as services(5) names those of mail. Errors: "socketmap.no_host": no mail goes there over a network
  // (".example.com", which Postfix asks for after example.com itself; a socket's path); "socketmap.key" and
  // "socketmap.port": perhaps it does, and what binds it is not known.
  static base::Result<Destination> parse(std::string_view key);
  // The same text for all that mean the same.
  std::string key() const;
};

// What Postfix is answered to such a key: that there is no policy only where none could bind.
std::string reply_to(const base::Error& error);

}  // namespace pinnace::socketmap
