// SipHash-2-4 (Aumasson and Bernstein, 2012) under a key that only this process knows: who chooses names that
// are asked for cannot choose where they come to lie.
#pragma once

#include <cstdint>
#include <string_view>

namespace pinnace::policyd {

class KeyedHash {
 public:
  KeyedHash();  // a key of the system's random source
  KeyedHash(std::uint64_t first, std::uint64_t second) : first_(first), second_(second) {}

  std::uint64_t operator()(std::string_view text, std::uint8_t profile = 0) const;

 private:
  std::uint64_t first_, second_;
};

}  // namespace pinnace::policyd
