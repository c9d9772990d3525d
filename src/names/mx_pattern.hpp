// A pattern for MX hosts, as MTA-STS policies have them (RFC 8461 3.2, 4.1).
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::names {

class MxPattern {
 public:
  // "mail.example.org", or "*.example.org" for exactly one label below it. A-labels only. Error
  // "names.mx_pattern".
  static base::Result<MxPattern> parse(std::string_view text);

  // `host` in any case, with or without a trailing dot.
  bool matches(std::string_view host) const;
  std::string str() const { return wildcard_ ? "*." + name_ : name_; }
  auto operator<=>(const MxPattern&) const = default;

 private:
  MxPattern(std::string name, bool wildcard) : name_(std::move(name)), wildcard_(wildcard) {}
  std::string name_;
  bool wildcard_;
};

}  // namespace pinnace::names
