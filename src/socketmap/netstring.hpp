// Netstrings, the frames of a socketmap connection: "5:hello,". https://cr.yp.to/proto/netstrings.txt
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pinnace::socketmap {

// What `input` begins with. Views of `input`.
struct Netstring {
  enum class State { whole, partial, broken };
  State state = State::partial;
  std::string_view payload;  // of a whole one
  std::size_t size = 0;      // the octets of input that a whole one takes
  std::string_view problem;  // of a broken one
};

// `most`: octets of the payload. What is too long is broken as soon as its length is read.
Netstring read_netstring(std::string_view input, std::size_t most);

void append_netstring(std::string& out, std::string_view payload);

}  // namespace pinnace::socketmap
