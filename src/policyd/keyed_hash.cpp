#include "policyd/keyed_hash.hpp"

#include <bit>
#include <cstring>
#include <random>

namespace pinnace::policyd {
namespace {

struct State {
  std::uint64_t a, b, c, d;

  void round() {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32) + d;
    c += b;
    d = std::rotl(d, 21) ^ a;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void take(std::uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
};

std::uint64_t random_word() {
  std::random_device source;
  return std::uint64_t(source()) << 32 | source();
}

}  // namespace

KeyedHash::KeyedHash() : first_(random_word()), second_(random_word()) {}

std::uint64_t KeyedHash::operator()(std::string_view text, std::uint8_t profile) const {
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t first = first_ ^ profile;
  State s{first ^ 0x736f6d6570736575, second_ ^ 0x646f72616e646f6d, first ^ 0x6c7967656e657261,
          second_ ^ 0x7465646279746573};
  const std::uint64_t size = text.size();
  std::uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    s.take(word);
  }
  word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  s.take(word | size << 56);
  s.c ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.a ^ s.b ^ s.c ^ s.d;
}

}  // namespace pinnace::policyd
