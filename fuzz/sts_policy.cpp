// MTA-STS policies: what is taken can be applied, what is not says why.
#include <cstdint>
#include <cstdlib>

#include "sts/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pinnace::sts;
  const ParsedPolicy parsed = parse_policy({reinterpret_cast<const char*>(data), size});
  if (!parsed.policy) {
    if (parsed.problems.empty()) std::abort();
    return 0;
  }
  const Policy& p = *parsed.policy;
  if (p.max_age > kMaxAge || (p.mx.empty() && p.mode != Mode::none)) std::abort();
  for (const auto& pattern : p.mx) {
    const std::string host = pattern.str().starts_with("*.") ? "a" + pattern.str().substr(1) : pattern.str();
    // A label put in front may make the name too long to be one.
    if (host.size() <= 253 && !p.lists(host)) std::abort();
  }
  return 0;
}
