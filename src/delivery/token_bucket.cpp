#include "delivery/token_bucket.hpp"

#include <algorithm>

namespace pinnace::delivery {

TokenBucket::TokenBucket(policy::Rate rate, base::Time now) : rate_(rate), level_(most()), at_(now) {}

std::int64_t TokenBucket::one() const { return base::Milliseconds(rate_.per).count(); }

std::int64_t TokenBucket::most() const {
  constexpr std::int64_t kSecond = 1000;
  return std::max(one(), rate_.messages * kSecond);
}

std::int64_t TokenBucket::level(base::Time now) const {
  const std::int64_t elapsed = std::clamp<std::int64_t>((now - at_).count(), 0, most());
  return std::min(most(), level_ + elapsed * rate_.messages);
}

void TokenBucket::fill(base::Time now) {
  level_ = level(now);
  at_ = now;
}

void TokenBucket::set_rate(policy::Rate rate, base::Time now) {
  fill(now);
  const std::int64_t before = one();
  rate_ = rate;
  level_ = std::min(most(), level_ * one() / before);
}

std::size_t TokenBucket::count(base::Time now) {
  fill(now);
  return static_cast<std::size_t>(level_ / one());
}

bool TokenBucket::take(base::Time now) {
  if (!has(now)) return false;
  level_ -= one();
  return true;
}

base::Time TokenBucket::next(base::Time now) {
  if (has(now)) return now;
  const std::int64_t missing = one() - level_;
  return now + base::Milliseconds((missing + rate_.messages - 1) / rate_.messages);
}

}  // namespace pinnace::delivery
