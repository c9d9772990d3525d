// What the originator asks to be told of his message (RFC 3461 4).
#pragma once

#include <cstdint>

namespace pinnace::names {

// NOTIFY of a recipient (RFC 3461 4.1). Nothing asked: he is told of a failure, and of a delay where we tell
// of delays.
struct Notify {
  static constexpr std::uint8_t kNever = 1, kSuccess = 2, kFailure = 4, kDelay = 8;

  std::uint8_t bits = 0;  // kNever stands alone

  bool asked() const { return bits != 0; }
  bool success() const { return (bits & kSuccess) != 0; }
  bool failure() const { return bits == 0 || (bits & kFailure) != 0; }
  bool delay() const { return bits == 0 || (bits & kDelay) != 0; }
  bool valid() const { return bits <= 15 && (bits == kNever || (bits & kNever) == 0); }
  bool operator==(const Notify&) const = default;
};

// RET (RFC 3461 4.3): how much of the message a notice of failure gives back.
enum class Return : std::uint8_t { unset, full, headers };

}  // namespace pinnace::names
