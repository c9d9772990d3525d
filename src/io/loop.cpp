#include "io/loop.hpp"

#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/log.hpp"
#include "io/loop_impl.hpp"

namespace pinnace::io {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);

// A coroutine that owns itself, and is known to the loop as long as it lives.
struct Detached {
  struct promise_type {
    std::unordered_set<void*>* registry = nullptr;
    Detached get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    ~promise_type() {
      if (registry) registry->erase(std::coroutine_handle<promise_type>::from_promise(*this).address());
    }
  };
  std::coroutine_handle<promise_type> handle;
};

// There may be no memory for a line either.
void log_failed(const std::exception& e) noexcept {
  try {
    base::log_error("task_failed", {{"what", e.what()}});
  } catch (const std::exception&) {
    return;
  }
}

Detached run_detached(Task<void> task) {
  try {
    co_await task;
  } catch (const std::exception& e) {
    log_failed(e);
  }
}

class WatchImpl final : public Loop::Watch {
 public:
  WatchImpl(boost::asio::io_context& context, int fd, std::function<void()> fn)
      : state_(std::make_shared<State>(
            State{boost::asio::posix::stream_descriptor(context, fd), std::move(fn)})) {
    arm(state_);
  }
  ~WatchImpl() override { state_->descriptor.release(); }

 private:
  struct State {
    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> fn;
  };
  static void arm(const std::shared_ptr<State>& state) {
    state->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                 [weak = std::weak_ptr<State>(state)](boost::system::error_code error) {
                                   const auto alive = weak.lock();
                                   if (error || !alive) return;
                                   alive->fn();
                                   if (alive->descriptor.is_open()) arm(alive);
                                 });
  }
  std::shared_ptr<State> state_;
};

}  // namespace

Loop::Impl::~Impl() {
  for (const auto& [at, fd] : reserved) ::close(fd);
}

void Loop::Impl::add(Expiring* e) {
  if (!ticking) tick();
  expiring.insert(e);
}

void Loop::Impl::tick() {
  ticker.expires_after(kTick);
  ticker.async_wait([this](boost::system::error_code error) {
    if (error) return;
    const auto now = Steady::now();
    for (Expiring* e : expiring) {
      if (e->expires <= now) e->expire();
    }
    if (expiring.empty()) {
      ticking = false;
    } else {
      tick();
    }
  });
  ticking = true;
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() { drop_tasks(); }

void Loop::run() {
  impl_->context.restart();
  impl_->context.run();
}
void Loop::stop() { impl_->context.stop(); }
void Loop::post(std::function<void()> fn) { boost::asio::post(impl_->context, std::move(fn)); }

void Loop::spawn(Task<void> task) {
  const Detached detached = run_detached(std::move(task));
  try {
    impl_->tasks.insert(detached.handle.address());
  } catch (...) {
    detached.handle.destroy();
    throw;
  }
  detached.handle.promise().registry = &impl_->tasks;
  detached.handle.resume();
}

std::size_t Loop::tasks() const { return impl_->tasks.size(); }

void Loop::drop_tasks() {
  while (!impl_->tasks.empty()) {
    std::coroutine_handle<>::from_address(*impl_->tasks.begin()).destroy();
  }
}

void Loop::on_signal(int number, std::function<void()> fn) {
  auto set = std::make_shared<boost::asio::signal_set>(impl_->context, number);
  struct Arm {
    static void again(std::shared_ptr<boost::asio::signal_set> s, std::function<void()> f) {
      s->async_wait([s, f](boost::system::error_code error, int) {
        if (error) return;
        try {
          f();
        } catch (const std::exception& e) {
          log_failed(e);
        }
        again(s, f);
      });
    }
  };
  Arm::again(std::move(set), std::move(fn));
}

std::unique_ptr<Loop::Watch> Loop::watch_readable(int fd, std::function<void()> fn) {
  return std::make_unique<WatchImpl>(impl_->context, fd, std::move(fn));
}

struct Timer::Impl {
  boost::asio::steady_timer timer;
};

Timer::Timer(Loop& loop) : impl_(new Impl{boost::asio::steady_timer(loop.impl().context)}) {}
Timer::~Timer() = default;

namespace {

struct TimerAwaiter {
  boost::asio::steady_timer& timer;
  bool elapsed = false;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) {
    timer.async_wait([this, h](boost::system::error_code error) {
      elapsed = !error;
      h.resume();
    });
  }
  bool await_resume() const noexcept { return elapsed; }
};

}  // namespace

Task<bool> Timer::wait(base::Milliseconds duration) {
  impl_->timer.expires_after(duration);
  TimerAwaiter awaiter{impl_->timer};
  co_return co_await awaiter;
}

void Timer::cancel() { impl_->timer.cancel(); }

void Condition::notify_all() {
  if (waiters_.empty()) return;
  loop_.post([woken = std::exchange(waiters_, {})] {
    for (const auto h : woken) h.resume();
  });
}

}  // namespace pinnace::io
