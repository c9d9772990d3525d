#include "mime/transfer_decoding.hpp"

#include <cstdint>

namespace pinnace::mime {
namespace {

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 2045 6.8: characters outside the alphabet are ignored, and '=' is the end.
std::string decode_base64(std::string_view body) {
  std::string out;
  out.reserve(body.size() / 4 * 3);
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : body) {
    if (c == '=') break;
    const int value = sextet(c);
    if (value < 0) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 255);
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// RFC 2045 6.7
std::string decode_quoted_printable(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    std::string_view line = body.substr(0, end);
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
    // Blanks at a line's end came on the way.
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    const bool soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      const int high = line[i] == '=' && i + 2 < line.size() ? hex_digit(line[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_digit(line[i + 2]);
      out += low < 0 ? line[i] : static_cast<char>(high << 4 | low);
      if (low >= 0) i += 2;
    }
    if (!soft && end != std::string_view::npos) out += "\r\n";
  }
  return out;
}

}  // namespace

std::string decode_transfer(std::string_view body, std::optional<TransferEncoding> encoding) {
  if (encoding == TransferEncoding::base64) return decode_base64(body);
  if (encoding == TransferEncoding::quoted_printable) return decode_quoted_printable(body);
  return std::string(body);
}

}  // namespace pinnace::mime
