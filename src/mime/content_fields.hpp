// The two header fields that say what an entity is and how it is written: Content-Type and
// Content-Transfer-Encoding (RFC 2045 5 and 6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::mime {

struct ContentType {
  std::string type = "text";  // RFC 2045 5.2: text/plain is what is not said; in lower case
  std::string subtype = "plain";
  std::string boundary;  // empty: none

  // RFC 2046 5.1.1 allows 70 octets; some write more.
  static constexpr std::size_t kMaxBoundary = 256;

  // From the field's value, folds and comments in it. An error also where two readers could take different
  // things for the boundary.
  static base::Result<ContentType> parse(std::string_view value);
};

enum class TransferEncoding : std::uint8_t { seven_bit, eight_bit, binary, quoted_printable, base64, other };

// Of the field's value; `other` is also what is no encoding's name.
TransferEncoding parse_transfer_encoding(std::string_view value);
std::string_view to_string(TransferEncoding encoding);

}  // namespace pinnace::mime
