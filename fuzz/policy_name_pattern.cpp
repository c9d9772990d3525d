// Patterns of the operator's rules: what is taken can be written and read again, and matches what it says.
#include <cstdint>
#include <cstdlib>

#include "policy/rule.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pinnace::policy::NamePattern;
  const auto pattern = NamePattern::parse({reinterpret_cast<const char*>(data), size});
  if (!pattern) {
    if (pattern.error().detail.empty()) std::abort();
    return 0;
  }
  const auto again = NamePattern::parse(pattern->str());
  if (!again || !(*again == *pattern)) std::abort();
  const std::string text = pattern->str();
  const bool below = text.starts_with("*.");
  const std::string name = below ? text.substr(2) : text;
  if (text != "*" && pattern->matches(name) == below) std::abort();
  if (below && !pattern->matches("a.b." + name)) std::abort();
  return 0;
}
