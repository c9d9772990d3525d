// What every service does around its work: logging, signals, an orderly end.
#pragma once

#include <functional>
#include <string>

#include "app/config.hpp"
#include "io/loop.hpp"

namespace pinnace::app {

// Errors of a start go to standard error, so that a person at a terminal sees them, and to the log.
int refuse_to_start(const base::Error& error);

// Signals, and the log's level and format. Its file is opened by set_up_process.
void set_up_log(const LogSettings& settings);

// What is done with a service while it runs.
struct Running {
  std::function<void()> stop;
  std::function<bool()> stopped;
  std::function<void()> reload;         // at SIGHUP; what is wrong is logged, and nothing changes
  std::function<std::string()> status;  // a few words
};

// Runs the loop, and tells systemd of it. At SIGTERM or SIGINT calls `stop`, then waits until `stopped`
// holds, ten seconds at most.
void run_until_stopped(io::Loop& loop, const Running& service);

}  // namespace pinnace::app
