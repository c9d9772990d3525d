#include "base/hex.hpp"

namespace pinnace::base {

std::string hex(std::string_view octets, std::string_view separator) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto octet = static_cast<unsigned char>(octets[i]);
    if (i) out += separator;
    out += kDigits[octet >> 4];
    out += kDigits[octet & 15];
  }
  return out;
}

}  // namespace pinnace::base
