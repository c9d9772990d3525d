#include "names/mx_pattern.hpp"

#include <algorithm>

#include "names/domain.hpp"

namespace pinnace::names {

base::Result<MxPattern> MxPattern::parse(std::string_view text) {
  const bool wildcard = text.starts_with("*.");
  const std::string_view name = wildcard ? text.substr(2) : text;
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80 && c != '_'; });
  auto domain = Domain::parse(name);
  // RFC 8461 3.2: the Domain of RFC 5321 4.1.2, in A-labels: no dot at its end.
  if (!domain || !plain || name.ends_with('.')) {
    return base::fail("names.mx_pattern",
                      "RFC 8461 3.2: a host's name in A-labels is expected, or one behind '*.'");
  }
  return MxPattern(domain->str(), wildcard);
}

bool MxPattern::matches(std::string_view host) const {
  const auto name = Domain::parse(host);
  if (!name) return false;
  if (!wildcard_) return name->str() == name_;
  // RFC 8461 4.1: one label, and all of it.
  const std::size_t dot = name->str().find('.');
  return dot != std::string::npos && name->str().substr(dot + 1) == name_;
}

}  // namespace pinnace::names
