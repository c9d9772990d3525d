// A non-blocking socket in the loop's epoll set. It is registered once and told of each change (edge by edge,
// epoll(7)), so that a wait costs no system call, and it knows when a read or write could only say "not now".
// It says so too where a peer sends faster than we read, after some reads: then others have their turn.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <string>

#include "io/loop.hpp"

namespace pinnace::io {

// What came of one try to read or write.
struct Outcome {
  enum class State { done, want_read, want_write, closed, failed };
  State state = State::done;
  std::size_t bytes = 0;
  std::string detail;  // with failed
};

class Socket {
 public:
  // Takes the descriptor over, and closes it where that throws (no memory, or too many watched:
  // std::system_error).
  Socket(Loop& loop, int fd);
  ~Socket();
  Socket(const Socket&) = delete;

  // One try each, at most one system call; these two from any one thread at a time.
  Outcome recv(char* to, std::size_t size);
  Outcome send(const char* from, std::size_t size);
  // The descriptor of an accepted connection, or -1 with errno.
  int accept(void* address, unsigned* size);

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close();   // who waits is resumed
  void resume();  // who waits, soon, whatever happened

  // Resumed when a read (a write) may do something, or by resume() or close(). One waiter of each kind.
  struct Wait {
    Socket& socket;
    bool to_read;
    bool await_ready() const noexcept {
      return socket.ready(to_read) && !(to_read && socket.reads_ >= kTurn);
    }
    void await_suspend(std::coroutine_handle<> h);
    void await_resume() const noexcept {}
  };
  Wait readable() { return {*this, true}; }
  Wait writable() { return {*this, false}; }
  // A system call that somebody else made said "not now" (want_read, want_write).
  void not_now(Outcome::State what) {
    (what == Outcome::State::want_read ? readable_ : writable_).store(false, std::memory_order_relaxed);
  }

 private:
  friend class SocketSet;
  static constexpr int kTurn = 64;  // reads

  bool ready(bool to_read) const { return (to_read ? readable_ : writable_).load(std::memory_order_relaxed); }

  Loop::Impl& loop_;
  int fd_;
  int reads_ = 0;  // since the last wait
  // Cleared before a try and set again where more may follow: a change meanwhile is not overlooked.
  std::atomic<bool> readable_{false};
  std::atomic<bool> writable_{true};
  std::atomic<bool> ended_{false};  // by the peer: no more changes will be told of
  std::coroutine_handle<> reader_;
  std::coroutine_handle<> writer_;
};

}  // namespace pinnace::io
