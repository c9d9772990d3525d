// Whatever is converted fits then, and is not converted again; what fits is left alone; and nothing hangs on
// how the message is cut. The first octet chooses the size of the pieces and what the next host takes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "mime/transfer_encoding.hpp"

namespace mime = pinnace::mime;

namespace {

pinnace::base::Result<mime::TransferPlan> survey(std::string_view text, mime::Transport transport,
                                                 std::size_t piece) {
  mime::TransferSurvey survey(transport);
  for (std::size_t at = 0; at < text.size(); at += piece) survey.feed(text.substr(at, piece));
  return survey.finish();
}

std::string convert(std::string_view text, mime::TransferPlan plan, std::size_t piece) {
  mime::TransferConverter converter(std::move(plan));
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) converter.feed(text.substr(at, piece), out);
  converter.finish(out);
  return out;
}

void check_fits(std::string_view text, bool seven_bit) {
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0' || (seven_bit && static_cast<unsigned char>(c) > 0x7f)) std::abort();
    if (c == '\r' && text.substr(i + 1, 1) != "\n") std::abort();
    if (c == '\n' && (i == 0 || text[i - 1] != '\r')) std::abort();
    line = c == '\n' ? 0 : line + (c == '\r' ? 0 : 1);
    if (line > 998) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const auto transport = data[0] & 0x80 ? mime::Transport::eight_bit : mime::Transport::seven_bit;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  auto whole = survey(text, transport, size);
  auto cut = survey(text, transport, piece);
  if (whole.has_value() != cut.has_value()) std::abort();
  if (!whole) return whole.error().detail == cut.error().detail ? 0 : (std::abort(), 0);
  const bool changes = whole->changes();
  const std::string out = convert(text, std::move(*whole), size);
  if (convert(text, std::move(*cut), piece) != out || changes != (out != text)) std::abort();
  check_fits(out, transport == mime::Transport::seven_bit);
  const auto again = survey(out, transport, size);
  if (!again || again->changes()) std::abort();
  return 0;
}
