// Text from anywhere, made into lines that cannot be taken for anything else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pinnace::mime {

// Printable ASCII on one line: control characters become spaces, octets above 127 '?'. At most
// `limit` octets.
std::string one_line(std::string_view text, std::size_t limit = 2000);

// The words of a one-line text on lines of at most 76 octets, each behind `indent` and with its CRLF.
// A word that is longer has a line of its own, cut at 500 octets.
std::string wrapped(std::string_view text, std::string_view indent);

}  // namespace pinnace::mime
