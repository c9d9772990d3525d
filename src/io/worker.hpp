// A thread for work that blocks (style.md 5): file reads, password hashes, libraries
// without asynchronous calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
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

  // Runs fn on the worker's thread and gives its value back on the loop's. fn must not throw, and
  // may still run when the task that asked was dropped with its loop: it owns what it uses.
  template <class F, class T = std::invoke_result_t<F>>
  Task<T> run(F fn) {
    const auto done = std::make_shared<OneShot<T>>();
    push([this, done, job = std::move(fn)] {
      auto value = std::make_shared<T>(job());
      loop_.post([done, value] { done->set(std::move(*value)); });
    });
    // Named first: g++ 12 would wait on a copy of what `*done` gives.
    OneShot<T>& arrival = *done;
    co_return co_await arrival;
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
