// Verbs, capabilities and parameters are known by keywords, which compare without case
// (RFC 5321 2.4, 4.1.1.1). Their one form here is upper case; only ASCII letters have any.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace pinnace::smtp {

inline std::string keyword(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

}  // namespace pinnace::smtp
