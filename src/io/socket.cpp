#include "io/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "io/loop_impl.hpp"

namespace pinnace::io {

using State = Outcome::State;

Socket::Socket(Loop& loop, int fd) : loop_(loop.impl()), fd_(fd) {
  try {
    loop_.sockets.add(*this);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Socket::~Socket() {
  close();
  loop_.sockets.forget(*this);
}

void Socket::close() {
  if (fd_ < 0) return;
  ::close(fd_);  // leaves the epoll set with it
  fd_ = -1;
  resume();
}

void Socket::resume() {
  if (reader_ || writer_) loop_.sockets.resume_soon(*this);
}

void Socket::Wait::await_suspend(std::coroutine_handle<> h) {
  (to_read ? socket.reader_ : socket.writer_) = h;
  socket.loop_.sockets.waiter_added();
  // Its turn alone was over: no change may come that would be told of.
  if (std::exchange(socket.reads_, 0) >= kTurn && socket.ready(to_read)) socket.resume();
}

Outcome Socket::recv(char* to, std::size_t size) {
  if (!ready(true) || reads_ >= kTurn) return {State::want_read, 0, {}};
  ++reads_;
  for (;;) {
    readable_.store(false);
    const ssize_t n = ::recv(fd_, to, size, 0);
    if (n < 0 && errno == EAGAIN) return {State::want_read, 0, {}};
    // What filled less than there was room for emptied the socket: the next octet is told of.
    if (n <= 0 || static_cast<std::size_t>(n) == size || ended_.load()) readable_.store(true);
    if (n > 0) return {State::done, static_cast<std::size_t>(n), {}};
    if (n == 0) return {State::closed, 0, {}};
    if (errno != EINTR) return {State::failed, 0, std::strerror(errno)};
  }
}

Outcome Socket::send(const char* from, std::size_t size) {
  if (!ready(false)) return {State::want_write, 0, {}};
  for (;;) {
    writable_.store(false);
    const ssize_t n = ::send(fd_, from, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return {State::want_write, 0, {}};
    if (n < 0 || static_cast<std::size_t>(n) == size || ended_.load()) writable_.store(true);
    if (n >= 0) return {State::done, static_cast<std::size_t>(n), {}};
    if (errno != EINTR) return {State::failed, 0, std::strerror(errno)};
  }
}

int Socket::accept(void* address, unsigned* size) {
  if (reads_ >= kTurn) {
    errno = EAGAIN;
    return -1;
  }
  ++reads_;
  readable_.store(false);
  const int fd = ::accept4(fd_, static_cast<sockaddr*>(address), size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int why = errno;
  if (fd >= 0 || why != EAGAIN) readable_.store(true);
  errno = why;
  return fd;
}

}  // namespace pinnace::io
