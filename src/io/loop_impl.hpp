// What the io folder's own sources share of Asio. Nothing outside io includes this.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>
#include <unordered_set>

#include "io/loop.hpp"
#include "io/socket_set.hpp"

namespace pinnace::io {

// Something with a deadline; checked a few times a second, so that a read or write
// costs no timer of its own.
struct Expiring {
  Steady::time_point expires = Steady::time_point::max();
  virtual void expire() = 0;

 protected:
  ~Expiring() = default;
};

struct Loop::Impl {
  boost::asio::io_context context{1};
  SocketSet sockets{context};
  boost::asio::steady_timer ticker{context};
  bool ticking = false;
  std::unordered_set<Expiring*> expiring;
  std::unordered_set<void*> tasks;
  std::map<std::string, int> reserved;  // reserve(): sockets by their endpoints

  ~Impl();

  void add(Expiring* e);
  void tick();
};

}  // namespace pinnace::io
