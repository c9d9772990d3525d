// How long a peer that sends may still be waited for. It has a time of grace, and each octet buys it
// more, so that over a message it is never slower than the least rate by more than the grace. Only
// waiting for the peer counts: a slow disk of ours costs it nothing.
#pragma once

#include <algorithm>
#include <cstdint>

#include "io/loop.hpp"

namespace pinnace::io {

struct PaceSettings {
  std::uint64_t least = 500;  // octets a second; 0: any rate will do
  base::Milliseconds grace = std::chrono::minutes(1);
};

class Pace {
 public:
  explicit Pace(PaceSettings settings) : settings_(settings), left_(settings.grace) {}

  // The end of the next wait, where that comes before `otherwise`.
  Steady::time_point deadline(Steady::time_point now, Steady::time_point otherwise) const {
    return settings_.least == 0 ? otherwise : std::min(otherwise, now + left_);
  }
  void received(std::uint64_t octets, Steady::duration waited) {
    if (settings_.least == 0) return;
    const auto bought = std::chrono::duration<double>(static_cast<double>(octets) / settings_.least);
    left_ += std::chrono::duration_cast<Steady::duration>(bought) - waited;
  }

 private:
  PaceSettings settings_;
  Steady::duration left_;
};

}  // namespace pinnace::io
