// The compact binary encoding of stored records: fixed-width little-endian integers
// and length-prefixed strings. Reading is strict: a reader that meets the end early,
// or a length beyond it, is `failed` from then on and yields zeros and empty strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pinnace::base {

class RecordWriter {
 public:
  void u8(std::uint8_t v) { number(v, 1); }
  void u32(std::uint32_t v) { number(v, 4); }
  void i64(std::int64_t v) { number(static_cast<std::uint64_t>(v), 8); }
  void text(std::string_view v) {
    u32(static_cast<std::uint32_t>(v.size()));
    out_ += v;
  }
  std::string take() { return std::move(out_); }

 private:
  void number(std::uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) out_ += static_cast<char>(v >> (8 * i) & 255);
  }
  std::string out_;
};

class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : left_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::int64_t i64() { return static_cast<std::int64_t>(number(8)); }
  std::string text() {
    const std::uint32_t size = u32();
    if (size > left_.size()) {
      failed_ = true;
      return {};
    }
    std::string v(left_.substr(0, size));
    left_.remove_prefix(size);
    return v;
  }
  // A count of records that take at least `least` octets each: never more than can follow.
  std::uint32_t count(std::size_t least) {
    const std::uint32_t n = u32();
    if (n > left_.size() / least) failed_ = true;
    return failed_ ? 0 : n;
  }

  bool failed() const { return failed_; }
  bool at_end() const { return left_.empty() && !failed_; }

 private:
  std::uint64_t number(std::size_t bytes) {
    if (failed_ || left_.size() < bytes) {
      failed_ = true;
      return 0;
    }
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      v |= std::uint64_t{static_cast<unsigned char>(left_[i])} << (8 * i);
    }
    left_.remove_prefix(bytes);
    return v;
  }
  std::string_view left_;
  bool failed_ = false;
};

}  // namespace pinnace::base
