// Digests of what is public: names for it, and comparisons.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::tls {

std::string sha256(std::string_view data);  // 32 octets

}  // namespace pinnace::tls
