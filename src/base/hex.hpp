// Octets in hex.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::base {

// "00:ff" or, without a separator, "00ff".
std::string hex(std::string_view octets, std::string_view separator = "");

}  // namespace pinnace::base
