// SipHash-2-4 (Aumasson and Bernstein): a hash under a secret key. Who does not know the key cannot choose
// texts that collide.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pinnace::base {

using SipKey = std::array<std::uint64_t, 2>;

std::uint64_t sip_hash(const SipKey& key, std::string_view text);

}  // namespace pinnace::base
