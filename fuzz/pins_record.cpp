// A stored record of any content decodes to what encodes back, or is refused.
#include <cstdint>
#include <cstdlib>

#include "pins/pin_set.hpp"

using namespace pinnace::pins;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view record(reinterpret_cast<const char*>(data), size);
  if (const auto set = PinSet::decode(record); set && set->encode() != record) std::abort();
  if (const auto stsec = StsecRecord::decode(record); stsec && stsec->encode() != record) std::abort();
  return 0;
}
