// When a deferred recipient is tried again, and when its time is over.
#pragma once

#include <cstdint>

#include "base/clock.hpp"

namespace pinnace::queue {

// RFC 5321 4.5.4.1: a first retry after some minutes, then longer pauses, for at
// least four to five days.
struct ScheduleSettings {
  base::Seconds retry_initial = std::chrono::minutes(5);
  base::Seconds retry_max = std::chrono::hours(4);
  base::Seconds lifetime = std::chrono::days(5);
  double jitter = 0.2;  // a pause is varied by up to this part of itself, either way
};

// The pause after the attempts'th failed attempt (1 is the first): doubled each time up to
// retry_max, then varied; `random` is in [0, 1).
base::Milliseconds retry_pause(std::uint32_t attempts, const ScheduleSettings& settings, double random);

inline bool lifetime_over(base::Time arrived, base::Time now, const ScheduleSettings& settings) {
  return now - arrived >= settings.lifetime;
}

}  // namespace pinnace::queue
