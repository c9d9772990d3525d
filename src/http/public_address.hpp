// Which addresses a public HTTPS server can have. A name's owner chooses what its addresses are, and
// must not make us knock at a machine inside our own network.
#pragma once

#include <span>
#include <string_view>

#include "io/address.hpp"

namespace pinnace::http {

// Empty: a public one. Else what kind of address it is, for people. An address that carries an IPv4 one
// (NAT64, 6to4) is what that one is.
std::string_view not_public(const io::IpAddress& address);

// A public one, or inside one of `allowed`.
bool may_connect(const io::IpAddress& address, std::span<const io::Network> allowed);

}  // namespace pinnace::http
