// A TXT record as zone files and dig show it: quoted strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pinnace::names {

// RFC 1035 5.1: "v=STSv1; " "id=1;" is the one text v=STSv1; id=1; (RFC 8461 3.1 and RFC 8460 3: strings are
// joined without blanks). "\"" and "\059" are escapes. Nothing where it is not quoted strings throughout.
std::optional<std::string> joined_strings(std::string_view text);

}  // namespace pinnace::names
