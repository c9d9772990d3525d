// Errors as values. A refused delivery is a policy::Decision, never an Error.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace pinnace::base {

// What went wrong. `code` is stable and machine-readable: "<module>.<reason>"
// ("dns.bogus", "tls.handshake"); it must be a string literal. `detail` is for
// people: it names the thing, the place and, where there is one, the remedy.
struct Error {
  std::string_view code;
  std::string detail;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string_view code, std::string detail) {
  return std::unexpected<Error>(Error{code, std::move(detail)});
}

}  // namespace pinnace::base
