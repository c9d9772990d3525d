// A thread for work that blocks (style.md 5): file reads, password hashes, libraries
// without asynchronous calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>

#include "io/loop.hpp"

namespace pinnace::io {

class Worker {
 public:
  explicit Worker(Loop& loop);
  ~Worker();  // finishes what was queued, then joins
  Worker(const Worker&) = delete;

  // Runs fn on the worker's thread and gives its value back on the loop's. fn must
  // not throw.
  template <class F, class T = std::invoke_result_t<F>>
  Task<T> run(F fn) {
    OneShot<T> done;
    push([this, &done, &fn] {
      T value = fn();
      // The frame that owns `done` waits for it, or was dropped with a loop that no longer runs.
      loop_.post([&done, v = std::make_shared<T>(std::move(value))] { done.set(std::move(*v)); });
    });
    co_return co_await done;
  }

 private:
  void push(std::function<void()> job);
  void work();

  Loop& loop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace pinnace::io
