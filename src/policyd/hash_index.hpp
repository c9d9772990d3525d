// Finds the numbers of things by their hashes: open addressing, 5 to 11 octets a thing. Who has the things
// knows their hashes and compares them.
#pragma once

#include <cstdint>
#include <vector>

namespace pinnace::policyd {

inline constexpr std::uint32_t kNone = 0xffffffff;

class HashIndex {
 public:
  // `same(number)`: it is the one that is looked for. kNone: there is none.
  template <class Same>
  std::uint32_t find(std::uint32_t hash, Same same) const {
    if (slots_.empty()) return kNone;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      if (slots_[at] == kNone || same(slots_[at])) return slots_[at];
    }
  }

  template <class HashOf>
  void insert(std::uint32_t hash, std::uint32_t number, HashOf hash_of) {
    if (4 * (count_ + 1) > 3 * slots_.size()) grow(hash_of);
    place(hash, number);
    ++count_;
  }

  // It is there.
  template <class HashOf>
  void erase(std::uint32_t number, HashOf hash_of) {
    std::size_t hole = hash_of(number) & mask();
    while (slots_[hole] != number) hole = (hole + 1) & mask();
    // What follows moves up where it may, so that no search ends too early.
    for (std::size_t at = (hole + 1) & mask(); slots_[at] != kNone; at = (at + 1) & mask()) {
      const std::size_t home = hash_of(slots_[at]) & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = kNone;
    --count_;
  }

 private:
  std::size_t mask() const { return slots_.size() - 1; }

  void place(std::uint32_t hash, std::uint32_t number) {
    std::size_t at = hash & mask();
    while (slots_[at] != kNone) at = (at + 1) & mask();
    slots_[at] = number;
  }

  template <class HashOf>
  void grow(HashOf hash_of) {
    std::vector<std::uint32_t> old(slots_.empty() ? 16 : 2 * slots_.size(), kNone);
    old.swap(slots_);
    for (const std::uint32_t number : old) {
      if (number != kNone) place(hash_of(number), number);
    }
  }

  std::vector<std::uint32_t> slots_;  // a power of two of them
  std::size_t count_ = 0;
};

}  // namespace pinnace::policyd
