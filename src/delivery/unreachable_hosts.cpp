#include "delivery/unreachable_hosts.hpp"

#include <algorithm>

namespace pinnace::delivery {
namespace {

constexpr std::size_t kMost = 10'000;

}  // namespace

std::optional<UnreachableHosts::Known> UnreachableHosts::known(const std::string& address) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) return std::nullopt;
  Known& known = found->second.known;
  const base::Time now = clock_.now();
  known.until = std::min(known.until, now + found->second.pause);
  if (now < known.until) return known;
  found->second.pause = settings_.connect_timeout;
  known.until = now + found->second.pause;
  return std::nullopt;
}

void UnreachableHosts::failed(const std::string& address, std::string reason) {
  const base::Time now = clock_.now();
  if (entries_.size() >= kMost && !entries_.contains(address)) {
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.known.until <= now; });
    if (entries_.size() >= kMost) return;
  }
  Entry& entry = entries_[address];
  queue::ScheduleSettings schedule = schedule_;
  schedule.retry_max = std::min(schedule.retry_max, settings_.probe_max);
  // Over before the pause of a destination that begins now, at its shortest: its own try is a real one.
  entry.pause = queue::retry_pause(++entry.failures, schedule, 0.0) * 3 / 4;
  entry.known = {std::move(reason), now + entry.pause};
}

}  // namespace pinnace::delivery
