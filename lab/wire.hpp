// One SMTP connection with blocking reads and writes, in clear or over TLS. It serves the lab's
// interceptor, where a thread may wait for its peer; nothing of the product uses it.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lab {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslFree>;

// An IPv4 address and port, written "127.77.0.10:25".
struct Endpoint {
  std::uint32_t address = 0;  // host byte order
  std::uint16_t port = 0;

  static std::optional<Endpoint> parse(std::string_view text);
  std::string str() const;
};

// Both give a socket that the caller owns, or a sentence that says what failed.
std::expected<int, std::string> listen_at(const Endpoint& endpoint);
std::expected<int, std::string> connect_to(const Endpoint& endpoint);

class Wire {
 public:
  explicit Wire(int fd);  // takes the socket
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // The next line without its ending. None when the peer closed, was silent for a minute, or sent
  // more than 64 KiB without an ending.
  std::optional<std::string> read_line();
  bool write(std::string_view bytes);

  // The handshake as a server or a client. What was read but not consumed in clear is dropped.
  bool accept_tls(SSL_CTX* context) { return handshake(context, SSL_accept); }
  bool connect_tls(SSL_CTX* context) { return handshake(context, SSL_connect); }

  // "none", "failed: <OpenSSL's reason>", or the protocol's version.
  const std::string& tls() const { return tls_; }
  int fd() const { return fd_; }

 private:
  bool handshake(SSL_CTX* context, int (*step)(SSL*));
  int read_some(char* to, std::size_t size);

  int fd_;
  std::unique_ptr<SSL, SslFree> ssl_;
  std::string tls_ = "none";
  std::string buffer_;
};

// Makes close() send a reset instead of an orderly end.
void reset_on_close(int fd);

}  // namespace lab
