// Base64 of RFC 4648 section 4: padded, strict, no white space.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pinnace::base {

std::string base64_encode(std::string_view bytes);

// Nothing for anything but the one canonical spelling (RFC 4648 3.3, 3.5): no stray
// characters, right padding, unused bits zero.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace pinnace::base
