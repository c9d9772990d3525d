// A pin: the SHA-256 of a certificate's DER SubjectPublicKeyInfo (RFC 7469 2.4).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pinnace::pins {

struct Pin {
  std::array<std::uint8_t, 32> sha256{};

  // Strict base64 of exactly 32 octets; nothing otherwise.
  static std::optional<Pin> parse(std::string_view base64);
  std::string str() const;  // base64

  auto operator<=>(const Pin&) const = default;
};

}  // namespace pinnace::pins
