#include "mime/header.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "mime/field_line.hpp"

namespace pinnace::mime {
namespace {

constexpr std::string_view kReceived = "received:";

// Eight octets at a time: every octet of every message comes by here.
bool has_eight_bit(std::string_view s) {
  std::size_t i = 0;
  std::uint64_t seen = 0;
  for (; i + 8 <= s.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, s.data() + i, 8);
    seen |= word;
  }
  for (; i < s.size(); ++i) seen |= static_cast<unsigned char>(s[i]);
  return (seen & 0x8080808080808080ULL) != 0;
}

}  // namespace

void HeaderScanner::end_line() {
  if (begin_ == "\r\n") in_header_ = false;
  const bool is_received =
      std::equal(kReceived.begin(), kReceived.end(), begin_.begin(), begin_.end(),
                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b); });
  if (is_received) ++received_;
  begin_.clear();
}

void HeaderScanner::feed(std::string_view text) {
  eight_bit_ = eight_bit_ || has_eight_bit(text);
  tls_required_.feed(text);
  while (in_header_ && !text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(piece.size());
    begin_ += piece.substr(0, kReceived.size() - begin_.size());
    if (end != std::string_view::npos) end_line();
  }
}

std::string_view header_of(std::string_view text) {
  std::size_t fields = 0;  // the octets of the fields that are whole
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find("\r\n", at);
    const std::string_view line = text.substr(at, end == std::string_view::npos ? end : end - at);
    if (at == 0 || !continues(line)) {
      fields = at;
      if (field_name(line).empty()) return text.substr(0, fields);
    }
    if (end == std::string_view::npos || end + 2 > kMaxHeader) return text.substr(0, fields);
    at = end + 2;
  }
  return text.substr(0, at);
}

}  // namespace pinnace::mime
