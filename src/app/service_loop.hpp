// What every service does around its work: logging, signals, an orderly end.
#pragma once

#include <functional>
#include <string>

#include "app/config.hpp"
#include "io/loop.hpp"

namespace pinnace::app {

// Errors of a start go to standard error, so that a person at a terminal sees them, and to the log.
int refuse_to_start(const base::Error& error);

bool set_up_log(const LogSettings& settings);

// Runs the loop. At SIGTERM or SIGINT calls `stop`, then waits until `stopped` holds, ten seconds at most.
void run_until_stopped(io::Loop& loop, const std::function<void()>& stop,
                       const std::function<bool()>& stopped);

}  // namespace pinnace::app
