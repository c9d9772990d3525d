#include "publish/comparison.hpp"

#include <fmt/format.h>

namespace pinnace::publish {

std::string_view to_string(State state) {
  constexpr std::string_view kNames[] = {"ok", "missing", "stale", "extra", "unknown"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_string(Finding::About about) {
  constexpr std::string_view kNames[] = {"mx", "dnssec", "tlsa", "mta-sts", "policy", "tlsrpt"};
  return kNames[static_cast<std::size_t>(about)];
}

}  // namespace pinnace::publish
