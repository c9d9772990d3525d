// TLSA records, from the wire and as text: what parses also prints and parses again to the same.
#include <cstdint>
#include <cstdlib>

#include "dane/tlsa.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pinnace::dane::Tlsa;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto wire = Tlsa::parse_wire(input);
  if (wire) {
    const auto again = Tlsa::parse_text(wire->str());
    if (!again || *again != *wire) std::abort();
    if (pinnace::dane::usable({*wire}).empty() == pinnace::dane::why_unusable(*wire).empty()) std::abort();
  }
  if (const auto text = Tlsa::parse_text(input)) {
    const auto again = Tlsa::parse_text(text->str());
    if (!again || *again != *text) std::abort();
  }
  return 0;
}
