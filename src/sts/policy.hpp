// An MTA-STS policy (RFC 8461 3.2), as it is fetched.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "names/mx_pattern.hpp"
#include "names/txt_fields.hpp"
#include "pins/pin.hpp"

namespace pinnace::sts {

enum class Mode : std::uint8_t { enforce, testing, none };
std::string_view to_string(Mode mode);

inline constexpr std::size_t kMaxBody = 64 << 10;                  // RFC 8461 3.3
inline constexpr base::Seconds kMaxAge = base::Seconds(31557600);  // RFC 8461 3.2

struct Policy {
  Mode mode = Mode::none;
  std::vector<names::MxPattern> mx;
  base::Seconds max_age{};
  std::vector<pins::Pin> pins;              // "pin-sha256" (docs/pinning-protocol.md, 4.3)
  std::vector<names::TxtField> extensions;  // all other fields

  bool lists(std::string_view host) const;  // RFC 8461 4.1
};

struct ParsedPolicy {
  std::optional<Policy> policy;
  std::vector<std::string> problems;  // each with its section; of a valid one: what was passed over
};

// Lines end in CRLF or LF.
ParsedPolicy parse_policy(std::string_view body);

}  // namespace pinnace::sts
