// The loop's sockets in one epoll set, which Asio watches as one descriptor. Only for io's own sources.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <vector>

#include "io/socket.hpp"

namespace pinnace::io {

class SocketSet {
 public:
  explicit SocketSet(boost::asio::io_context& context);

  void add(Socket& socket);     // throws std::system_error where the system has no room
  void forget(Socket& socket);  // it ends
  void resume_soon(Socket& socket);
  void waiter_added();

 private:
  void watch();
  void take_events();
  void wake();
  void settle();
  template <class Place>
  void run(const Place& place, bool reader, bool writer);

  boost::asio::io_context& context_;
  boost::asio::posix::stream_descriptor set_;
  std::array<epoll_event, 128> events_{};
  std::size_t taken_ = 0;  // of events_, while they are worked on
  std::vector<Socket*> woken_;
  std::vector<Socket*> waking_;
  std::size_t waiters_ = 0;
  bool watched_ = false;
  bool posted_ = false;
  bool working_ = false;  // waiters are being resumed
};

}  // namespace pinnace::io
