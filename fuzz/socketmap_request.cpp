// What a client of the socketmap server sends: each octet is taken once, a cut makes it partial, and the next
// hops found are canonical. What is told of a failure stays one line.
#include <cstdint>
#include <cstdlib>

#include "socketmap/destination.hpp"
#include "socketmap/netstring.hpp"
#include "socketmap/request.hpp"

using namespace pinnace::socketmap;

namespace {

constexpr std::size_t kMost = 1000;

void check(std::string_view payload) {
  std::string out;
  append_netstring(out, payload);
  if (read_netstring(out, kMost).payload != payload) std::abort();
  for (const char c : temporary(payload)) {
    if (c == '\r' || c == '\n') std::abort();
  }
  const auto request = Request::parse(payload);
  if (!request) return;
  if (request->map.empty() || request->key.empty()) std::abort();
  const auto destination = Destination::parse(request->key);
  if (!destination) return;
  const auto again = Destination::parse(destination->key());
  if (!again || again->key() != destination->key() || again->kind != destination->kind) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  for (;;) {
    const Netstring read = read_netstring(input, kMost);
    if (read.state != Netstring::State::whole) {
      if (read.state == Netstring::State::partial && input.size() > kMost + 7) std::abort();
      return 0;
    }
    if (read.size > input.size() || read.payload.size() > kMost) std::abort();
    if (read_netstring(input.substr(0, read.size - 1), kMost).state != Netstring::State::partial)
      std::abort();
    check(read.payload);
    input.remove_prefix(read.size);
  }
}
