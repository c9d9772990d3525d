#include "process/notify.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>

namespace pinnace::process {
namespace {

constexpr base::Milliseconds kStatusEvery = std::chrono::seconds(10);

// Half of WatchdogSec may already be late on a busy machine.
base::Milliseconds interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return kStatusEvery;
  const base::Milliseconds third(microseconds / 3000);
  return std::clamp(third, base::Milliseconds(1), kStatusEvery);
}

}  // namespace

void notify_ready() { ::sd_notify(0, "READY=1"); }

void notify_reloading() {
  const auto now = io::Steady::now().time_since_epoch();
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  ::sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }

io::Task<void> keep_alive(io::Loop& loop, std::function<std::string()> status) {
  if (!std::getenv("NOTIFY_SOCKET")) co_return;
  const base::Milliseconds every = interval();
  io::Timer timer(loop);
  for (;;) {
    ::sd_notify(0, ("WATCHDOG=1\nSTATUS=" + status()).c_str());
    const bool elapsed = co_await timer.wait(every);
    if (!elapsed) co_return;
  }
}

}  // namespace pinnace::process
