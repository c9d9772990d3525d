#include "reporting/pin_outlook.hpp"

#include <algorithm>

namespace pinnace::reporting {

std::optional<base::Time> old_pin_until(std::span<const pins::Promise> promises,
                                        std::span<const pins::Pin> live, base::Time now) {
  std::optional<base::Time> last;
  for (const pins::Promise& promise : promises) {
    if (promise.mode != pins::Mode::enforce || !promise.outstanding(now)) continue;
    const bool met =
        std::any_of(live.begin(), live.end(), [&](const auto& pin) { return promise.holds(pin); });
    if (!met && (!last || promise.ends() > *last)) last = promise.ends();
  }
  return last;
}

}  // namespace pinnace::reporting
