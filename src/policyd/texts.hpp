// Texts that many share, each there once and as long as somebody has it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "policyd/hash_index.hpp"
#include "policyd/keyed_hash.hpp"
#include "policyd/pool.hpp"

namespace pinnace::policyd {

// Of memory, for so many octets from the allocator: its own header, and its steps.
constexpr std::size_t allocated(std::size_t octets) {
  return octets <= 24 ? 32 : (octets + 8 + 15) / 16 * 16;
}

class Texts {
 public:
  explicit Texts(const KeyedHash& hash) : hash_(hash) {}

  std::uint32_t take(std::string_view text);  // to be dropped as often as taken
  void drop(std::uint32_t number);
  std::string_view operator[](std::uint32_t number) const {
    return {texts_[number].text.get(), texts_[number].size};
  }
  std::size_t octets() const { return octets_; }

 private:
  struct Text {
    std::uint32_t hash = 0, holders = 0, size = 0;
    std::unique_ptr<char[]> text;
  };
  auto hash_of() const {
    return [this](std::uint32_t number) { return texts_[number].hash; };
  }
  static std::size_t cost(std::size_t size) { return sizeof(Text) + 8 + allocated(size); }

  const KeyedHash& hash_;
  HashIndex index_;
  Pool<Text> texts_;
  std::size_t octets_ = 0;
};

}  // namespace pinnace::policyd
