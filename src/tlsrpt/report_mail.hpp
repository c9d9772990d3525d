// A report as it is delivered (RFC 8460 5): its JSON as it stands, gzip of it, or a mail with either as a
// part.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::tlsrpt {

inline constexpr std::size_t kMaxDelivered = 4 << 20;  // octets

// The JSON in what was delivered. A mail may have LF for line ends, and a line "From " before it, as an MTA
// hands it to a program. Of its parts application/tlsrpt+gzip and +json come first; else the first that is
// gzip or a JSON object is taken, whatever it is called. Errors: "tlsrpt.none" (no report is in it), those of
// gunzip().
base::Result<std::string> report_json(std::string_view delivered);

}  // namespace pinnace::tlsrpt
