#include "app/service_loop.hpp"

#include <csignal>
#include <cstdio>

#include "process/notify.hpp"

namespace pinnace::app {

int refuse_to_start(const base::Error& error) {
  std::fprintf(stderr, "pinnace: %s\n", error.detail.c_str());
  return 1;
}

void set_up_log(const LogSettings& settings) {
  // Writes to a peer that has gone are errors, not signals.
  std::signal(SIGPIPE, SIG_IGN);
  // Until the loop takes them they ask for nothing.
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);
  base::set_log_level(settings.level);
  base::set_log_format(settings.format);
}

namespace {

io::Task<void> end(io::Loop& loop, const std::function<bool()>& stopped) {
  const auto until = io::Steady::now() + std::chrono::seconds(10);
  io::Timer timer(loop);
  while (!stopped() && io::Steady::now() < until) {
    const bool elapsed = co_await timer.wait(std::chrono::milliseconds(20));
    if (!elapsed) break;
  }
  loop.stop();
}

}  // namespace

void run_until_stopped(io::Loop& loop, const Running& service) {
  bool stopping = false;
  const auto begin_stop = [&] {
    if (stopping) return;
    stopping = true;
    process::notify_stopping();
    base::log_info("stopping", {});
    service.stop();
    loop.spawn(end(loop, service.stopped));
  };
  const auto reopen = [] {
    if (base::reopen_log()) return base::log_info("log_reopened", {});
    base::log_error("log_not_reopened", {{"what", "the log file cannot be opened; the old one is kept on"}});
  };
  loop.on_signal(SIGUSR1, reopen);
  loop.on_signal(SIGHUP, [&] {
    process::notify_reloading();
    reopen();
    if (service.reload) service.reload();
    process::notify_ready();
  });
  loop.on_signal(SIGTERM, begin_stop);
  loop.on_signal(SIGINT, begin_stop);
  loop.spawn(process::keep_alive(loop, service.status));
  process::notify_ready();
  // A line a write costs a busy relay more than what the line tells of.
  base::gather_log([&loop] { loop.post(base::flush_log); });
  loop.run();
  base::gather_log(nullptr);
  loop.drop_tasks();
  base::log_info("stopped", {});
}

}  // namespace pinnace::app
