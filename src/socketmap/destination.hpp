// The next hop that Postfix asks about, in the forms of transport(5): the key of smtp_tls_policy_maps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "names/domain.hpp"

namespace pinnace::socketmap {

struct Destination {
  names::Domain domain;
  bool bracketed = false;  // "[host]": the host itself, its MX is not asked for
  std::optional<std::uint16_t> port;

  // "example.com", "example.com:port", "[host]", "[host]:port"; a port may be named as services(5) names
  // those of mail. Errors: "socketmap.no_domain": none that a policy could be for (an address;
  // ".example.com", which Postfix asks for after example.com itself); "socketmap.port".
  static base::Result<Destination> parse(std::string_view key);
  // The same text for all that mean the same.
  std::string key() const;
};

}  // namespace pinnace::socketmap
