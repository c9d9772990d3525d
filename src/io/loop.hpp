// The event loop (over Boost.Asio): one thread runs it, and every Task, Stream,
// Timer and OneShot that belongs to it is used on that thread only. post() is the
// one door for other threads.
#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "io/task.hpp"

namespace pinnace::io {

using Steady = std::chrono::steady_clock;

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // until stop(), or until nothing is left to wait for
  void stop();  // any thread; only while it runs

  // Runs fn on the loop's thread, soon. Any thread.
  void post(std::function<void()> fn);

  // Starts a task that nobody awaits. An exception that leaves it is logged.
  void spawn(Task<void> task);
  // Spawned tasks that have not ended.
  std::size_t tasks() const;
  // Destroys every spawned task where it waits. Only after run() has returned.
  void drop_tasks();

  // Calls fn on the loop's thread at each such signal (SIGTERM, SIGHUP, ...). What it throws is logged.
  void on_signal(int number, std::function<void()> fn);

  // Waits until fd is readable. The caller keeps fd open meanwhile; one waiter at a time.
  // For libraries that bring their own descriptor (libunbound). Calls fn each time until
  // the returned object is destroyed.
  class Watch;
  std::unique_ptr<Watch> watch_readable(int fd, std::function<void()> fn);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

class Loop::Watch {
 public:
  virtual ~Watch() = default;
};

// A wait that can be cut short.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;

  // True when the time has passed, false when cancel() came first. One waiter at a time.
  Task<bool> wait(base::Milliseconds duration);
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A value that arrives once. set() on the loop's thread (other threads: through
// Loop::post) resumes the one waiter, now.
template <class T>
class OneShot {
 public:
  OneShot() = default;
  OneShot(const OneShot&) = delete;  // g++ 12 would wait on a copy of what a call gives

  void set(T value) {
    value_.emplace(std::move(value));
    if (auto waiter = std::exchange(waiter_, {})) waiter.resume();
  }
  bool is_set() const { return value_.has_value(); }

  bool await_ready() const noexcept { return value_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  T await_resume() { return std::move(*value_); }

 private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

// Waits for a change. notify_all() resumes who waits now, through the loop, so that
// the notifier goes on first.
class Condition {
 public:
  explicit Condition(Loop& loop) : loop_(loop) {}
  void notify_all();

  struct Awaiter {
    Condition& condition;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) { condition.waiters_.push_back(h); }
    void await_resume() const noexcept {}
  };
  Awaiter wait() { return Awaiter{*this}; }

 private:
  Loop& loop_;
  std::vector<std::coroutine_handle<>> waiters_;
};

}  // namespace pinnace::io
