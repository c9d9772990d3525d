// SipHash under a key that only this process knows: who chooses names that are asked for cannot choose where
// they come to lie.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/sip_hash.hpp"

namespace pinnace::policyd {

class KeyedHash {
 public:
  KeyedHash();  // a key of the system's random source
  KeyedHash(std::uint64_t first, std::uint64_t second) : key_{first, second} {}

  std::uint64_t operator()(std::string_view text, std::uint8_t profile = 0) const {
    return base::sip_hash({key_[0] ^ profile, key_[1]}, text);
  }

 private:
  base::SipKey key_;
};

}  // namespace pinnace::policyd
