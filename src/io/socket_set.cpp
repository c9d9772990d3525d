#include "io/socket_set.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <system_error>
#include <utility>

namespace pinnace::io {
namespace {

int new_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return set;
}

}  // namespace

SocketSet::SocketSet(boost::asio::io_context& context) : context_(context), set_(context, new_set()) {}

void SocketSet::add(Socket& socket) {
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  wanted.data.ptr = &socket;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, socket.fd(), &wanted) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

void SocketSet::forget(Socket& socket) {
  for (std::size_t i = 0; i < taken_; ++i) {
    if (events_[i].data.ptr == &socket) events_[i].data.ptr = nullptr;
  }
  std::replace(woken_.begin(), woken_.end(), &socket, static_cast<Socket*>(nullptr));
  std::replace(waking_.begin(), waking_.end(), &socket, static_cast<Socket*>(nullptr));
  waiters_ -= (socket.reader_ ? 1 : 0) + (socket.writer_ ? 1 : 0);
}

void SocketSet::waiter_added() {
  ++waiters_;
  if (!working_ && !watched_) watch();
}

void SocketSet::watch() {
  watched_ = true;
  set_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error) return;  // settle() cancelled it
    watched_ = false;
    working_ = true;
    take_events();
    settle();
  });
}

// Whether run() of the loop has something to wait for depends on there being a waiter.
void SocketSet::settle() {
  working_ = false;
  if (waiters_ > 0 && !watched_) watch();
  if (waiters_ > 0 || !watched_) return;
  watched_ = false;
  boost::system::error_code ignored;
  set_.cancel(ignored);
}

// `place` is emptied when its socket ends; whoever is resumed may end any of them.
template <class Place>
void SocketSet::run(const Place& place, bool reader, bool writer) {
  if (Socket* s = place(); s && reader && s->reader_) {
    --waiters_;
    std::exchange(s->reader_, {}).resume();
  }
  if (Socket* s = place(); s && writer && s->writer_) {
    --waiters_;
    std::exchange(s->writer_, {}).resume();
  }
}

void SocketSet::take_events() {
  constexpr int kRounds = 4;  // then others have their turn
  for (int round = 0; round < kRounds; ++round) {
    const int n = ::epoll_wait(set_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
    if (n <= 0) return;
    taken_ = static_cast<std::size_t>(n);
    for (std::size_t i = 0; i < taken_; ++i) {
      auto* const s = static_cast<Socket*>(events_[i].data.ptr);
      if (!s) continue;
      const std::uint32_t what = events_[i].events;
      const bool ended = (what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
      const bool reader = ended || (what & EPOLLIN) != 0;
      const bool writer = (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
      if (ended) s->ended_.store(true);
      if (reader) s->readable_.store(true);
      if (writer) s->writable_.store(true);
      run([&] { return static_cast<Socket*>(events_[i].data.ptr); }, reader, writer);
    }
    const bool more = taken_ == events_.size();
    taken_ = 0;
    if (!more) return;
  }
}

void SocketSet::resume_soon(Socket& socket) {
  woken_.push_back(&socket);
  if (std::exchange(posted_, true)) return;
  boost::asio::post(context_, [this] { wake(); });
}

void SocketSet::wake() {
  posted_ = false;
  working_ = true;
  waking_.swap(woken_);
  for (std::size_t i = 0; i < waking_.size(); ++i) run([&] { return waking_[i]; }, true, true);
  waking_.clear();
  settle();
}

}  // namespace pinnace::io
