// A request is the same however it is cut, and never more than it may be. The first octet chooses the size of
// the pieces.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/server_message.hpp"

namespace {

constexpr std::uint32_t kMaxHead = 512;
constexpr std::uint64_t kMaxBody = 64;

struct Read {
  int status = 0;
  bool done = false;
  std::string head, body, left;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view text, std::size_t piece) {
  pinnace::http::RequestReader reader(kMaxHead);
  std::string in;
  bool limited = false;
  std::size_t at = 0;
  while (at < text.size() && !reader.done() && !reader.refusal()) {
    in += text.substr(at, piece);
    at = std::min(at + piece, text.size());
    for (;;) {
      const std::size_t taken = reader.feed(in);
      if (taken > in.size()) std::abort();
      in.erase(0, taken);
      if (!reader.has_head() || limited || reader.refusal()) break;
      limited = true;
      reader.limit_body(kMaxBody);
    }
    if (!reader.refusal() && !reader.done() && in.size() >= kMaxHead) std::abort();
  }
  Read out;
  out.status = reader.refusal() ? reader.refusal()->status : 0;
  out.done = reader.done();
  if (out.status == 0 && reader.has_head())
    out.head = reader.head().method + reader.head().host + reader.head().path;
  if (out.status == 0 && out.done) {
    out.body = reader.take_body();
    if (out.body.size() > kMaxBody) std::abort();
    out.left = in + std::string(text.substr(at));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read cut = read(text, data[0] % 32 + 1U);
  const Read whole = read(text, 64);
  // What is wrong, or too long, is found earlier or later; what is right is the same.
  if (cut.done && whole.status == 0 && !(cut == whole)) std::abort();
  if (whole.done && cut.status == 0 && !(cut == whole)) std::abort();
  if ((cut.done && whole.status == 400) || (whole.done && cut.status == 400)) std::abort();
  return 0;
}
