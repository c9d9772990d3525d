#include "socketmap/netstring.hpp"

#include <charconv>

namespace pinnace::socketmap {
namespace {

constexpr std::size_t kMostDigits = 6;

Netstring broken(std::string_view problem) { return {Netstring::State::broken, {}, 0, problem}; }

}  // namespace

Netstring read_netstring(std::string_view input, std::size_t most) {
  std::size_t length = 0, at = 0;
  for (; at < input.size() && input[at] != ':'; ++at) {
    if (input[at] < '0' || input[at] > '9') return broken("a netstring does not begin with its length");
    if (at == 1 && input[0] == '0') return broken("a netstring's length begins with a zero");
    if (at == kMostDigits) return broken("a netstring is too long");
    length = length * 10 + static_cast<std::size_t>(input[at] - '0');
  }
  if (length > most) return broken("a netstring is too long");
  if (at == input.size()) return {};
  if (at == 0) return broken("a netstring has no length");
  const std::size_t begin = at + 1;
  if (input.size() - begin <= length) return {};
  if (input[begin + length] != ',') return broken("a netstring does not end where its length says");
  return {Netstring::State::whole, input.substr(begin, length), begin + length + 1, {}};
}

void append_netstring(std::string& out, std::string_view payload) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, payload.size()).ptr;
  out.append(digits, end).append(1, ':').append(payload).append(1, ',');
}

}  // namespace pinnace::socketmap
