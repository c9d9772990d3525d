// gzip (RFC 1952), bounded: a few octets may stand for very many.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::tlsrpt {

bool is_gzip(std::string_view octets);

// What all members together hold; octets behind the last one that are no member are left aside, as gzip(1)
// does. Errors: "tlsrpt.gzip" (broken, or cut off), "tlsrpt.size" (more than `most`, or so much out of so
// little that no report would be).
base::Result<std::string> gunzip(std::string_view octets, std::size_t most);

}  // namespace pinnace::tlsrpt
