#include "wire.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace lab {
namespace {

constexpr std::size_t kMaxLine = 64 * 1024;
constexpr timeval kPatience{.tv_sec = 60, .tv_usec = 0};

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(endpoint.address);
  to.sin_port = htons(endpoint.port);
  return to;
}

using SocketCall = int (*)(int, const sockaddr*, socklen_t);

// A socket on which `call` (bind or connect) succeeded.
std::expected<int, std::string> open_with(SocketCall call, const char* verb, const Endpoint& endpoint) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  sockaddr_in to = to_sockaddr(endpoint);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      call(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
    return fd;
  }
  std::string why = fmt::format("cannot {} {}: {}", verb, endpoint.str(), std::strerror(errno));
  if (fd >= 0) close(fd);
  return std::unexpected(why);
}

}  // namespace

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &address) != 1) return std::nullopt;
  Endpoint endpoint{.address = ntohl(address.s_addr), .port = 0};
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc() || stop != end || endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::string Endpoint::str() const {
  return fmt::format("{}.{}.{}.{}:{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255,
                     port);
}

std::expected<int, std::string> listen_at(const Endpoint& endpoint) {
  auto fd = open_with(bind, "bind", endpoint);
  if (fd && listen(*fd, 64) != 0) {
    close(*fd);
    return std::unexpected(fmt::format("cannot listen at {}: {}", endpoint.str(), std::strerror(errno)));
  }
  return fd;
}

std::expected<int, std::string> connect_to(const Endpoint& endpoint) {
  return open_with(connect, "connect to", endpoint);
}

void reset_on_close(int fd) {
  linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

Wire::Wire(int fd) : fd_(fd) {
  // A forgotten peer must not keep its thread for ever.
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

Wire::~Wire() {
  if (ssl_) SSL_shutdown(ssl_.get());
  close(fd_);
}

bool Wire::handshake(SSL_CTX* context, int (*step)(SSL*)) {
  buffer_.clear();
  ssl_.reset(SSL_new(context));
  SSL_set_fd(ssl_.get(), fd_);
  ERR_clear_error();
  if (step(ssl_.get()) == 1) {
    tls_ = SSL_get_version(ssl_.get());
    return true;
  }
  unsigned long error = ERR_get_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  tls_ = fmt::format("failed: {}", reason == nullptr ? "the peer closed" : reason);
  ssl_.reset();
  return false;
}

int Wire::read_some(char* to, std::size_t size) {
  if (ssl_) return SSL_read(ssl_.get(), to, static_cast<int>(size));
  return static_cast<int>(recv(fd_, to, size, 0));
}

std::optional<std::string> Wire::read_line() {
  std::size_t searched = 0;
  while (true) {
    std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    searched = buffer_.size();
    if (searched > kMaxLine) return std::nullopt;
    char chunk[4096];
    int got = read_some(chunk, sizeof chunk);
    if (got <= 0) return std::nullopt;
    buffer_.append(chunk, static_cast<std::size_t>(got));
  }
}

bool Wire::write(std::string_view bytes) {
  while (!bytes.empty()) {
    int sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                    : static_cast<int>(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace lab
