#include "mime/body_encoder.hpp"

#include <utility>

#include "base/base64.hpp"

namespace pinnace::mime {
namespace {

constexpr std::size_t kWidth = 76;                   // of a line (RFC 2045 6.7 (5) and 6.8)
constexpr std::size_t kLineOctets = kWidth / 4 * 3;  // what a line of base64 holds

void put_hex(char c, std::string& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto octet = static_cast<unsigned char>(c);
  out += '=';
  out += kDigits[octet >> 4];
  out += kDigits[octet & 15];
}

// RFC 2045 6.7 (2), (3)
bool is_plain(char c) { return c >= ' ' && c < 0x7f && c != '='; }

}  // namespace

void QuotedPrintableEncoder::put(char c, std::string& out) {
  const std::size_t width = is_plain(c) || c == '\t' ? 1 : 3;
  if (column_ + width >= kWidth) {  // the last column is for the "=" of a soft break
    out += "=\r\n";
    column_ = 0;
  }
  // A line that begins with "--" could be taken for the end of a part.
  const bool plain = width == 1 && !(column_ == 0 && c == '-');
  if (plain) out += c;
  if (!plain) put_hex(c, out);
  column_ += plain ? 1 : 3;
}

void QuotedPrintableEncoder::put_blank(bool at_line_end, std::string& out) {
  if (blank_ == 0) return;
  const char c = std::exchange(blank_, 0);
  if (!at_line_end) return put(c, out);
  // RFC 2045 6.7 (3): a blank that ends its line would be lost.
  if (column_ + 3 >= kWidth) {
    out += "=\r\n";
    column_ = 0;
  }
  put_hex(c, out);
  column_ += 3;
}

void QuotedPrintableEncoder::feed(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (std::exchange(cr_, false)) {
      if (c == '\n') {
        put_blank(true, out);
        out += "\r\n";
        column_ = 0;
        continue;
      }
      put_blank(false, out);
      put('\r', out);
    }
    if (c == '\r') {
      cr_ = true;
      continue;
    }
    put_blank(false, out);
    if (c == ' ' || c == '\t') {
      blank_ = c;
    } else {
      put(c, out);
    }
  }
}

void QuotedPrintableEncoder::finish(bool end_line, std::string& out) {
  const bool cr = std::exchange(cr_, false);
  put_blank(!cr, out);
  if (cr) put('\r', out);
  if (end_line && column_ > 0) out += "=\r\n";
  column_ = 0;
}

void Base64Encoder::put(std::string_view octets, std::string& out) {
  if (!std::exchange(first_, false)) out += "\r\n";
  out += base::base64_encode(octets);
}

void Base64Encoder::feed(std::string_view octets, std::string& out) {
  while (!octets.empty()) {
    const std::string_view piece = octets.substr(0, kLineOctets - line_.size());
    octets.remove_prefix(piece.size());
    line_ += piece;
    if (line_.size() < kLineOctets) return;
    put(line_, out);
    line_.clear();
  }
}

void Base64Encoder::finish(bool end_line, std::string& out) {
  if (!line_.empty()) put(line_, out);
  line_.clear();
  if (!std::exchange(first_, true) && end_line) out += "\r\n";
}

}  // namespace pinnace::mime
