// For tests: what comes from a network comes in pieces, cut anywhere.
#pragma once

#include <string>
#include <vector>

namespace pinnace::smtp {

// Every cut of `whole` into two, and octet by octet.
inline std::vector<std::vector<std::string>> all_cuts(const std::string& whole) {
  std::vector<std::vector<std::string>> out;
  for (std::size_t i = 0; i <= whole.size(); ++i) out.push_back({whole.substr(0, i), whole.substr(i)});
  std::vector<std::string> octets;
  for (const char c : whole) octets.emplace_back(1, c);
  out.push_back(octets);
  return out;
}

}  // namespace pinnace::smtp
