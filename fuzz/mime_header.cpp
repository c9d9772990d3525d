// What the scanner says does not hang on where the message is cut; a header block is whole lines of the
// message's beginning, and no empty one. The first octet chooses the size of the pieces.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mime/header.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mime = pinnace::mime;
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16 + 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  mime::HeaderScanner whole, cut;
  whole.feed(text);
  for (std::size_t at = 0; at < text.size(); at += piece) cut.feed(text.substr(at, piece));
  if (whole.received() != cut.received() || whole.eight_bit() != cut.eight_bit()) std::abort();
  if (whole.tls_required_no() != cut.tls_required_no()) std::abort();

  const std::string_view header = mime::header_of(text);
  if (!text.starts_with(header) || header.size() > mime::kMaxHeader) std::abort();
  if (header.empty()) return 0;
  if (!header.ends_with("\r\n") || header.starts_with("\r\n")) std::abort();
  if (header.find("\r\n\r\n") != std::string_view::npos) std::abort();
  if (mime::header_of(header) != header) std::abort();
  return 0;
}
