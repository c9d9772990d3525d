#include "mime/header.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace pinnace::mime {
namespace {

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

bool is_received(std::string_view line) {
  constexpr std::string_view kName = "received:";
  return line.size() >= kName.size() &&
         std::equal(kName.begin(), kName.end(), line.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
         });
}

}  // namespace

void HeaderScanner::line(std::string_view text) {
  if (text == "\r\n") {
    in_header_ = false;
    return;
  }
  if (is_received(text)) ++received_;
  if (header_.size() + text.size() <= kMaxHeader && !skipping_) header_ += text;
}

void HeaderScanner::feed(std::string_view text) {
  eight_bit_ = eight_bit_ || has_eight_bit(text);
  while (in_header_ && !text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(piece.size());
    if (partial_.size() + piece.size() > kMaxHeader) {
      partial_.clear();
      skipping_ = true;
    }
    if (end == std::string_view::npos) {
      if (!skipping_) partial_ += piece;
      continue;
    }
    if (skipping_) {
      skipping_ = false;
    } else if (partial_.empty()) {
      line(piece);
    } else {
      partial_ += piece;
      line(partial_);
    }
    partial_.clear();
  }
}

std::string header_of(std::string_view text) {
  HeaderScanner scanner;
  scanner.feed(text);
  return scanner.header();
}

}  // namespace pinnace::mime
