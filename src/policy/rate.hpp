// So many messages in a time, as a rule has it: "100/min".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace pinnace::policy {

struct Rate {
  std::uint32_t messages = 1;
  base::Seconds per{1};  // a second, a minute or an hour

  static constexpr std::uint32_t kMost = 1'000'000;

  // "10/s", "100/min", "5000/h". Error "policy.rate".
  static base::Result<Rate> parse(std::string_view text);
  std::string str() const;
  bool operator==(const Rate&) const = default;
};

}  // namespace pinnace::policy
