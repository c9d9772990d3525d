// A thread for work that blocks (style.md 5): file reads, password hashes, libraries
// without asynchronous calls.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "io/loop.hpp"

namespace pinnace::io {

class Worker {
 public:
  explicit Worker(Loop& loop);
  ~Worker();  // finishes what was queued, then joins
  Worker(const Worker&) = delete;

  // Runs fn on the worker's thread and gives its value, or what it throws, back on the loop's. fn may still
  // run when the task that asked was dropped with its loop: it owns what it uses.
  template <class F, class T = std::invoke_result_t<F>>
  Task<T> run(F fn) {
    const auto done = std::make_shared<OneShot<Came<T>>>();
    push([this, done, job = std::move(fn)] {
      auto came = std::make_shared<Came<T>>(outcome<T>(job));
      loop_.post([done, came] { done->set(std::move(*came)); });
    });
    // Named first: g++ 12 would wait on a copy of what `*done` gives.
    OneShot<Came<T>>& arrival = *done;
    Came<T> came = co_await arrival;
    if (!came) std::rethrow_exception(came.error());
    co_return std::move(*came);
  }

 private:
  template <class T>
  using Came = std::expected<T, std::exception_ptr>;

  template <class T, class F>
  static Came<T> outcome(const F& job) {
    try {
      return Came<T>(std::in_place, job());
    } catch (...) {
      return std::unexpected(std::current_exception());
    }
  }

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
