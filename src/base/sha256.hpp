// SHA-256 (FIPS 180-4), for what needs a name or a comparison below the layer that knows OpenSSL
// (docs/decisions/0008-what-postfix-is-told.md). Not for secrets.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::base {

std::string sha256(std::string_view data);  // 32 octets
// "00:ff" or, without a separator, "00ff".
std::string hex(std::string_view octets, std::string_view separator = "");

}  // namespace pinnace::base
