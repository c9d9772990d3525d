// A bound on what many hold together, such as the memory of all sessions. Each takes a share
// before it uses it, and gives it back when it ends. One thread.
#pragma once

#include <cstdint>

namespace pinnace::base {

class Budget {
 public:
  explicit Budget(std::uint64_t most) : most_(most) {}
  Budget(const Budget&) = delete;

  std::uint64_t taken() const { return taken_; }
  std::uint64_t most() const { return most_; }
  bool has_room(std::uint64_t octets) const { return octets <= most_ - taken_; }

 private:
  friend class Share;
  std::uint64_t most_;
  std::uint64_t taken_ = 0;  // never more than most_
};

// What one holder has of a budget, which outlives it.
class Share {
 public:
  explicit Share(Budget& budget) : budget_(budget) {}
  ~Share() { shrink_to(0); }
  Share(const Share&) = delete;

  std::uint64_t octets() const { return octets_; }

  // False, and nothing is taken, where the budget has not so much left.
  bool grow(std::uint64_t by) {
    if (!budget_.has_room(by)) return false;
    budget_.taken_ += by;
    octets_ += by;
    return true;
  }
  void shrink_to(std::uint64_t octets) {
    if (octets >= octets_) return;
    budget_.taken_ -= octets_ - octets;
    octets_ = octets;
  }

 private:
  Budget& budget_;
  std::uint64_t octets_ = 0;
};

}  // namespace pinnace::base
