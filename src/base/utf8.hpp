#pragma once

#include <cstddef>
#include <string_view>

namespace pinnace::base {

// The octets of the character that `text` begins with; 0 where it begins with none: an octet that
// stands alone, a form longer than needed, a surrogate, or a value past U+10FFFF (RFC 3629 3).
std::size_t utf8_size(std::string_view text);

}  // namespace pinnace::base
