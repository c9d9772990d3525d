// Things by small numbers, in blocks that never move; the number of one that ended is used again.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace pinnace::policyd {

template <class T>
class Pool {
 public:
  T& operator[](std::uint32_t number) { return blocks_[number / kBlock][number % kBlock]; }
  const T& operator[](std::uint32_t number) const { return blocks_[number / kBlock][number % kBlock]; }

  std::uint32_t add(T thing) {
    std::uint32_t number = end_;
    if (free_.empty()) {
      if (end_ % kBlock == 0) blocks_.push_back(std::make_unique<T[]>(kBlock));
      ++end_;
    } else {
      number = free_.back();
      free_.pop_back();
    }
    (*this)[number] = std::move(thing);
    return number;
  }
  void remove(std::uint32_t number) {
    (*this)[number] = T{};
    free_.push_back(number);
  }
  std::uint32_t end() const { return end_; }  // numbers are below it; a removed one is T{}
  std::size_t size() const { return end_ - free_.size(); }

 private:
  static constexpr std::uint32_t kBlock = 1024;

  std::vector<std::unique_ptr<T[]>> blocks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t end_ = 0;
};

}  // namespace pinnace::policyd
