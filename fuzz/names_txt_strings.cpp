// Quoted strings of TXT records: what is joined can be quoted and joined again to the same.
#include <cstdint>
#include <cstdlib>

#include "names/txt_strings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pinnace::names::joined_strings;
  const auto joined = joined_strings({reinterpret_cast<const char*>(data), size});
  if (!joined) return 0;
  std::string quoted = "\"";
  for (const char c : *joined) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  if (joined->size() > size || joined_strings(quoted + "\"") != joined) std::abort();
  return 0;
}
