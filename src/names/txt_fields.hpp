// The key/value pairs that the TXT records of MTA-STS (RFC 8461 3.1) and TLSRPT (RFC 8460 3) share.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pinnace::names {

struct TxtField {
  std::string name;
  std::string value;
  bool operator==(const TxtField&) const = default;
};

// The fields of the one record that begins with `version` ("v=STSv1") and a semicolon, out of all TXT records
// of a name: none where there is no such record, or several, or it is not name=value pairs with *WSP ";" *WSP
// between them and perhaps at the end. Values are not looked at; blanks that belong to no delimiter are in
// them. Error "names.txt" says what is wrong.
base::Result<std::vector<TxtField>> txt_fields(std::span<const std::string> records,
                                               std::string_view version);

// A field's name, in these records and in MTA-STS policies: 1 to 32 letters, digits, '_', '-', '.'.
bool is_field_name(std::string_view name);

// False, and nothing is added: a field of that name is there. RFC 8461 3.2: the first of a field counts. At
// most 1000 are kept.
bool add_first(std::vector<TxtField>& fields, TxtField field);

// ABNF of the extensions' values: visible ASCII but "=" and ";".
bool is_extension_value(std::string_view value);

}  // namespace pinnace::names
