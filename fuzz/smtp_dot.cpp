// What DotWriter sends, DotReader reads back the same, however it is cut; and how the bytes are
// cut never changes what DotReader sees.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/dot.hpp"

using namespace pinnace::smtp;

namespace {

struct Seen {
  std::string text;
  bool ended = false;
  bool bare = false;
  std::size_t longest = 0;
  bool operator==(const Seen&) const = default;
};

Seen read_in_steps(std::string_view wire, std::size_t step) {
  DotReader reader;
  Seen seen;
  std::string buffer;
  while (!wire.empty() && !reader.ended()) {
    buffer += wire.substr(0, step);
    wire.remove_prefix(std::min(step, wire.size()));
    buffer.erase(0, reader.read(buffer, seen.text));
    if (!reader.ended() && buffer.size() > 2) std::abort();
  }
  seen.ended = reader.ended();
  seen.bare = reader.bare_line_end();
  seen.longest = reader.longest_line();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Seen whole = read_in_steps(text, size + 1);
  for (std::size_t step = 1; step < 8; ++step) {
    if (read_in_steps(text, step) != whole) std::abort();
  }
  DotWriter writer;
  std::string wire;
  if (!writer.write(text, wire) || !writer.finish(wire)) return 0;
  const Seen back = read_in_steps(wire, 5);
  std::string expected(text);
  if (!expected.empty() && !expected.ends_with("\r\n")) expected += "\r\n";
  if (!back.ended || back.bare || back.text != expected) std::abort();
  return 0;
}
