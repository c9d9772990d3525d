// Content out of its transfer encoding (RFC 2045 6), for who reads a whole part. Tolerant: what stands in no
// alphabet is passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "mime/content_fields.hpp"

namespace pinnace::mime {

// `other` counts as none: the octets are as they stand.
std::string decode_transfer(std::string_view body, std::optional<TransferEncoding> encoding);

}  // namespace pinnace::mime
