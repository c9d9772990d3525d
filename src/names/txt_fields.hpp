// The key/value pairs that the TXT records of MTA-STS (RFC 8461 3.1) and TLSRPT (RFC 8460 3) share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pinnace::names {

struct TxtField {
  std::string name;
  std::string value;
  bool operator==(const TxtField&) const = default;
};

// Does it begin with `version` ("v=STSv1") and a semicolon, blanks between them or not?
bool has_version(std::string_view record, std::string_view version);

// The fields behind the version: *WSP ";" *WSP between them and perhaps at the end. Nothing where there is
// none, or one is not name=value with a name of 1 to 32 letters, digits, '_', '-', '.'. Values are
// not looked at, but blanks around them are no part of them.
std::optional<std::vector<TxtField>> txt_fields(std::string_view record, std::string_view version);

// ABNF of the extensions' values: visible ASCII but "=" and ";".
bool is_extension_value(std::string_view value);

}  // namespace pinnace::names
