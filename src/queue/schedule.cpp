#include "queue/schedule.hpp"

#include <algorithm>

namespace pinnace::queue {

base::Milliseconds retry_pause(std::uint32_t attempts, const ScheduleSettings& settings, double random) {
  base::Milliseconds pause = settings.retry_initial;
  const base::Milliseconds most = settings.retry_max;
  for (std::uint32_t i = 1; i < attempts && pause < most; ++i) pause *= 2;
  pause = std::min(pause, most);
  const double factor = 1.0 + settings.jitter * (2.0 * random - 1.0);
  return base::Milliseconds(static_cast<std::int64_t>(static_cast<double>(pause.count()) * factor));
}

}  // namespace pinnace::queue
