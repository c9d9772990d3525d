// The URIs of a TLSRPT record's rua (RFC 8460 3): their grammar, and which of them a report can go to.
#pragma once

#include <string_view>

namespace pinnace::tlsrpt {

enum class UriKind {
  none,   // not to the grammar of RFC 3986, or with a ',', '!' or ';' that is not escaped
  other,  // a URI, but nothing to report to: another scheme, no mail address, no host
  mailto,
  https,
};

UriKind uri_kind(std::string_view text);

}  // namespace pinnace::tlsrpt
