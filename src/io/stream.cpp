#include "io/stream.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "io/loop_impl.hpp"
#include "io/reserve.hpp"

namespace pinnace::io {
namespace {

class PlainTransport final : public Transport {
 public:
  Outcome read(Socket& socket, char* to, std::size_t size) override { return socket.recv(to, size); }
  Outcome write(Socket& socket, const char* from, std::size_t size) override {
    return socket.send(from, size);
  }
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& e) {
  SocketAddress out;
  if (!e.unix_path.empty()) {
    auto* to = reinterpret_cast<sockaddr_un*>(&out.storage);
    to->sun_family = AF_UNIX;
    std::memcpy(to->sun_path, e.unix_path.c_str(), e.unix_path.size() + 1);
    out.size = sizeof(sockaddr_un);
  } else if (e.address.is_v4()) {
    auto* to = reinterpret_cast<sockaddr_in*>(&out.storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(e.port);
    std::memcpy(&to->sin_addr, e.address.bytes().data(), 4);
    out.size = sizeof(sockaddr_in);
  } else {
    auto* to = reinterpret_cast<sockaddr_in6*>(&out.storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(e.port);
    std::memcpy(&to->sin6_addr, e.address.bytes().data(), 16);
    out.size = sizeof(sockaddr_in6);
  }
  return out;
}

std::optional<Endpoint> to_endpoint(const SocketAddress& from) {
  Endpoint e;
  if (from.storage.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&from.storage);
    e.address = IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&in->sin_addr));
    e.port = ntohs(in->sin_port);
  } else if (from.storage.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&from.storage);
    e.address = IpAddress::v6(in->sin6_addr.s6_addr);
    e.port = ntohs(in->sin6_port);
  } else {
    return std::nullopt;
  }
  return e;
}

std::optional<IpAddress> name_of(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  SocketAddress address;
  if (get(fd, address.get(), &address.size) != 0) return std::nullopt;
  const auto endpoint = to_endpoint(address);
  if (!endpoint) return std::nullopt;
  return endpoint->address;
}

int open_socket(const Endpoint& e) {
  const int family = !e.unix_path.empty() ? AF_UNIX : e.address.is_v4() ? AF_INET : AF_INET6;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return fd;
}

}  // namespace

struct Stream::Impl final : Expiring {
  Impl(Loop& l, int fd, std::string p)
      : loop(l), socket(l, fd), peer(std::move(p)), transport(new PlainTransport) {
    loop.impl().add(this);
  }
  ~Impl() {
    loop.impl().expiring.erase(this);
    if (socket.is_open()) transport->finish(socket);
  }
  void expire() override {
    timed_out = true;
    expires = Steady::time_point::max();
    socket.resume();
  }

  Loop& loop;
  Socket socket;
  std::string peer;
  std::shared_ptr<Transport> transport;
  base::Milliseconds idle{std::chrono::minutes(5)};
  std::optional<Steady::time_point> deadline;
  bool timed_out = false;
  bool interrupted = false;
};

Stream::Stream(Loop& loop, int fd, std::string peer) : impl_(new Impl(loop, fd, std::move(peer))) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

Task<base::Result<>> Stream::wait(Transport::State state) {
  Impl& s = *impl_;
  if (s.interrupted) co_return base::fail("io.interrupted", "stopped with " + s.peer);
  s.timed_out = false;
  s.expires = Steady::now() + s.idle;
  if (s.deadline) s.expires = std::min(s.expires, *s.deadline);
  Socket::Wait ready{s.socket, state == Transport::State::want_read};
  co_await ready;
  s.expires = Steady::time_point::max();
  if (s.timed_out) co_return base::fail("io.timeout", "no answer in time from " + s.peer);
  if (s.interrupted) co_return base::fail("io.interrupted", "stopped with " + s.peer);
  if (!s.socket.is_open()) co_return base::fail("io.closed", "closed: " + s.peer);
  co_return base::Result<>{};
}

Task<base::Result<std::size_t>> Stream::read_some(char* to, std::size_t size) {
  Impl& s = *impl_;
  if (!s.socket.is_open()) co_return base::fail("io.closed", "closed: " + s.peer);
  for (;;) {
    if (s.interrupted) co_return base::fail("io.interrupted", "stopped with " + s.peer);
    if (s.deadline && Steady::now() > *s.deadline) {
      co_return base::fail("io.timeout", "time is up with " + s.peer);
    }
    Transport::Outcome got = s.transport->read(s.socket, to, size);
    switch (got.state) {
      case Transport::State::done:
        co_return got.bytes;
      case Transport::State::closed:
        co_return std::size_t{0};
      case Transport::State::failed:
        co_return base::fail("io.read", s.peer + ": " + got.detail);
      default:
        break;
    }
    auto waited = co_await wait(got.state);
    if (!waited) co_return std::unexpected(waited.error());
  }
}

Task<base::Result<>> Stream::write_all(std::string_view bytes) {
  Impl& s = *impl_;
  if (!s.socket.is_open()) co_return base::fail("io.closed", "closed: " + s.peer);
  while (!bytes.empty()) {
    if (s.deadline && Steady::now() > *s.deadline) {
      co_return base::fail("io.timeout", "time is up with " + s.peer);
    }
    Transport::Outcome put = s.transport->write(s.socket, bytes.data(), bytes.size());
    switch (put.state) {
      case Transport::State::done:
        bytes.remove_prefix(put.bytes);
        continue;
      case Transport::State::closed:
        co_return base::fail("io.write", s.peer + " closed the connection");
      case Transport::State::failed:
        co_return base::fail("io.write", s.peer + ": " + put.detail);
      default:
        break;
    }
    auto waited = co_await wait(put.state);
    if (!waited) co_return std::unexpected(waited.error());
  }
  co_return base::Result<>{};
}

void Stream::set_transport(std::shared_ptr<Transport> transport) { impl_->transport = std::move(transport); }
Transport* Stream::transport() { return impl_->transport.get(); }
void Stream::set_idle_timeout(base::Milliseconds timeout) { impl_->idle = timeout; }
void Stream::set_deadline(std::optional<Steady::time_point> at) { impl_->deadline = at; }

base::Milliseconds Stream::time_left() const {
  if (!impl_->deadline) return impl_->idle;
  const auto left = std::chrono::duration_cast<base::Milliseconds>(*impl_->deadline - Steady::now());
  return std::clamp(left, base::Milliseconds(0), impl_->idle);
}

void Stream::interrupt() {
  impl_->interrupted = true;
  impl_->socket.resume();
}

Socket& Stream::socket() { return impl_->socket; }
const std::string& Stream::peer() const { return impl_->peer; }
bool Stream::quiet() const {
  char octet = 0;
  const ssize_t n = ::recv(impl_->socket.fd(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::optional<IpAddress> Stream::peer_address() const { return name_of(impl_->socket.fd(), ::getpeername); }
std::optional<IpAddress> Stream::local_address() const { return name_of(impl_->socket.fd(), ::getsockname); }

void Stream::close() {
  if (!impl_->socket.is_open()) return;
  impl_->transport->finish(impl_->socket);
  impl_->socket.close();
}

struct Listener::Impl {
  Loop& loop;
  Socket socket;
  Endpoint at;
  Timer pause;
  Impl(Loop& l, int fd, Endpoint e) : loop(l), socket(l, fd), at(std::move(e)), pause(l) {}
  ~Impl() {
    if (socket.is_open() && !at.unix_path.empty()) ::unlink(at.unix_path.c_str());
  }
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener::~Listener() = default;
const Endpoint& Listener::local() const { return impl_->at; }

void Listener::close() {
  if (!impl_->socket.is_open()) return;
  if (!impl_->at.unix_path.empty()) ::unlink(impl_->at.unix_path.c_str());
  impl_->socket.close();
  impl_->pause.cancel();
}

namespace {

// A socket file that nobody answers at is left over from a killed process.
base::Result<> clear_stale_socket(const Endpoint& at, SocketAddress address) {
  struct stat info{};
  if (::lstat(at.unix_path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return base::fail("io.listen", at.unix_path + " exists and is no socket: remove it or name another path");
  }
  const int probe = open_socket(at);
  const bool live = probe >= 0 && ::connect(probe, address.get(), address.size) == 0;
  if (probe >= 0) ::close(probe);
  if (live) return base::fail("io.listen", at.unix_path + " is in use by a running process");
  ::unlink(at.unix_path.c_str());
  return {};
}

}  // namespace

namespace {

base::Result<int> bind_socket(const Endpoint& at, SocketAddress address) {
  const bool local = !at.unix_path.empty();
  if (local) {
    if (auto cleared = clear_stale_socket(at, address); !cleared) return std::unexpected(cleared.error());
  }
  const int fd = open_socket(at);
  if (fd < 0)
    return base::fail("io.listen", fmt::format("no socket for {}: {}", at.str(), std::strerror(errno)));
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const mode_t mask = ::umask(local ? 0177 : 0077);
  const int bound = ::bind(fd, address.get(), address.size);
  const int reason = errno;
  ::umask(mask);
  if (bound == 0) return fd;
  ::close(fd);
  return base::fail("io.listen", fmt::format("cannot listen on {}: {}", at.str(), std::strerror(reason)));
}

constexpr auto kPause = std::chrono::milliseconds(200);

// There may be no memory for a line either.
void log_thrown(const Endpoint& at, const std::exception& e) noexcept {
  try {
    base::log_error("accept_failed", {{"detail", fmt::format("at {}: {}", at.str(), e.what())}});
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace

base::Result<> reserve(Loop& loop, const Endpoint& at) {
  auto& reserved = loop.impl().reserved;
  if (!at.unix_path.empty() || reserved.contains(at.str())) return {};
  const auto fd = bind_socket(at, to_socket_address(at));
  if (!fd) return std::unexpected(fd.error());
  reserved.emplace(at.str(), *fd);
  return {};
}

base::Result<Listener> Listener::bind(Loop& loop, const Endpoint& at) {
  SocketAddress address = to_socket_address(at);
  const auto held = loop.impl().reserved.extract(at.str());
  const auto bound = held.empty() ? bind_socket(at, address) : base::Result<int>(held.mapped());
  if (!bound) return std::unexpected(bound.error());
  const int fd = *bound;
  if (::listen(fd, 1024) != 0) {
    const int why = errno;
    ::close(fd);
    return base::fail("io.listen", fmt::format("cannot listen on {}: {}", at.str(), std::strerror(why)));
  }
  Endpoint actual = at;
  if (at.unix_path.empty()) {
    address.size = sizeof address.storage;
    ::getsockname(fd, address.get(), &address.size);
    if (const auto e = to_endpoint(address)) actual.port = e->port;
  }
  return Listener(std::unique_ptr<Impl>(new Impl(loop, fd, actual)));
}

Task<base::Result<Stream>> Listener::accept() {
  Impl& l = *impl_;
  for (;;) {
    if (!l.socket.is_open()) co_return base::fail("io.interrupted", "no longer listening");
    SocketAddress from;
    const int fd = l.socket.accept(from.get(), &from.size);
    if (fd >= 0) {
      const auto peer = to_endpoint(from);
      const int on = 1;
      if (peer) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      co_return Stream(l.loop, fd, peer ? peer->str() : "unix");
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN) {
      co_return base::fail("io.accept",
                           fmt::format("cannot accept on {}: {}", l.at.str(), std::strerror(errno)));
    }
    co_await l.socket.readable();
  }
}

Task<void> Listener::each(std::function<void(Stream)> take) {
  Impl& l = *impl_;
  while (l.socket.is_open()) {
    try {
      auto stream = co_await accept();
      if (stream) {
        take(std::move(*stream));
        continue;
      }
      if (l.socket.is_open()) base::log_error("accept_failed", {{"detail", stream.error().detail}});
    } catch (const std::exception& e) {
      log_thrown(l.at, e);
    }
    if (!l.socket.is_open()) break;
    const bool elapsed = co_await l.pause.wait(kPause);
    (void)elapsed;
  }
}

Task<base::Result<Stream>> connect(Loop& loop, Endpoint to, base::Milliseconds timeout,
                                   std::optional<IpAddress> source) {
  const int fd = open_socket(to);
  if (fd < 0)
    co_return base::fail("io.connect", fmt::format("no socket for {}: {}", to.str(), std::strerror(errno)));
  Stream stream(loop, fd, to.str());
  if (source && to.unix_path.empty()) {
    Endpoint from;
    from.address = *source;
    SocketAddress local = to_socket_address(from);
    if (::bind(fd, local.get(), local.size) != 0) {
      co_return base::fail("io.source",
                           fmt::format("cannot connect from {}: {}", source->str(), std::strerror(errno)));
    }
  }
  SocketAddress address = to_socket_address(to);
  if (::connect(fd, address.get(), address.size) != 0) {
    if (errno != EINPROGRESS) {
      co_return base::fail("io.connect",
                           fmt::format("cannot connect to {}: {}", to.str(), std::strerror(errno)));
    }
    stream.set_idle_timeout(timeout);
    stream.socket().not_now(Outcome::State::want_write);
    auto waited = co_await stream.wait(Transport::State::want_write);
    if (!waited) {
      if (waited.error().code == "io.timeout") {
        co_return base::fail("io.timeout",
                             fmt::format("no connection to {} within {} ms", to.str(), timeout.count()));
      }
      co_return std::unexpected(waited.error());
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      co_return base::fail("io.connect",
                           fmt::format("cannot connect to {}: {}", to.str(), std::strerror(error)));
    }
  }
  stream.set_idle_timeout(std::chrono::minutes(5));
  co_return std::move(stream);
}

}  // namespace pinnace::io
