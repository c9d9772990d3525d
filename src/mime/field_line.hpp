// What a line of a header is (RFC 5322 2.2).
#pragma once

#include <algorithm>
#include <string_view>

namespace pinnace::mime {

inline bool continues(std::string_view line) { return line.starts_with(' ') || line.starts_with('\t'); }

// The name of the field that the line begins; empty: it begins none. RFC 5322 2.2: a name of printable
// octets, then a colon; RFC 5322 4.5 allows blanks in front of it.
inline std::string_view field_name(std::string_view line) {
  std::string_view name = line.substr(0, line.find(':'));
  if (name.size() == line.size()) return {};
  while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
  const bool good = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return good ? name : std::string_view();
}

}  // namespace pinnace::mime
