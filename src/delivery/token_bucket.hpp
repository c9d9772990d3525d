// What a rate lets through: at most one second's worth at once, or one message where that is less, and from
// then on evenly. A clock that is set back costs or gives nothing.
#pragma once

#include "base/clock.hpp"
#include "policy/rate.hpp"

namespace pinnace::delivery {

class TokenBucket {
 public:
  TokenBucket(policy::Rate rate, base::Time now);  // full

  // From now on; what is left in it stays, as far as the new rate lets it.
  void set_rate(policy::Rate rate, base::Time now);
  bool take(base::Time now);          // false: nothing is in it
  std::size_t count(base::Time now);  // messages that it would let through now
  bool has(base::Time now) { return count(now) > 0; }
  bool full(base::Time now) const { return level(now) == most(); }
  base::Time next(base::Time now);  // when it has one; `now` where it has

 private:
  std::int64_t one() const;  // in it for a message: so a millisecond gives a whole number
  std::int64_t most() const;
  std::int64_t level(base::Time now) const;
  void fill(base::Time now);

  policy::Rate rate_;
  std::int64_t level_;
  base::Time at_;
};

}  // namespace pinnace::delivery
