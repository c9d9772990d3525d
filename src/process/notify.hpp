// What systemd is told (sd_notify(3)), where it started this process with Type=notify; else nothing.
#pragma once

#include <functional>
#include <string>

#include "io/loop.hpp"

namespace pinnace::process {

void notify_ready();
void notify_reloading();  // until the next notify_ready()
void notify_stopping();

// Tells the status (for `systemctl status`) and that the loop is alive, as often as WatchdogSec asks. A task
// of the loop itself, so that one that hangs is noticed.
io::Task<void> keep_alive(io::Loop& loop, std::function<std::string()> status);

}  // namespace pinnace::process
