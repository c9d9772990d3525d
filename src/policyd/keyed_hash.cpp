#include "policyd/keyed_hash.hpp"

#include <random>

namespace pinnace::policyd {
namespace {

std::uint64_t random_word() {
  std::random_device source;
  return std::uint64_t(source()) << 32 | source();
}

}  // namespace

KeyedHash::KeyedHash() : key_{random_word(), random_word()} {}

}  // namespace pinnace::policyd
