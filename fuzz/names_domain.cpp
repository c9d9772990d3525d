// A parsed domain prints to a text that parses to itself, within the limits of the DNS.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "names/domain.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pinnace::names::Domain;
  const auto parsed = Domain::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  const std::string& text = parsed->str();
  if (Domain::parse(text) != *parsed || text.empty() || text.size() > 253) std::abort();
  for (const char c : text) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!allowed) std::abort();
  }
  return 0;
}
