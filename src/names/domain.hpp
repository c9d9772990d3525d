// A domain name that exists only parsed and canonical.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::names {

// Lower case, A-labels (U-labels are converted, IDNA2008 by libidn2), no trailing
// dot, 1 to 253 octets, labels of 1 to 63 letters, digits, hyphens and (as the DNS
// has them) underscores. Never an address literal, never all-numeric like 1.2.3.4.
class Domain {
 public:
  static base::Result<Domain> parse(std::string_view text);

  const std::string& str() const { return text_; }
  auto operator<=>(const Domain&) const = default;

 private:
  explicit Domain(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace pinnace::names
