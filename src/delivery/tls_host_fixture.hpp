// For tests: a mail host with TLS in a thread of its own, whose certificate can be changed under it while its
// ticket keys stay.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "tls/certificate_fixture.hpp"

namespace pinnace::delivery::fixture {

class TlsHost {
 public:
  TlsHost(const tls::testing_certificates::Certificate& leaf, int version)
      : context_(SSL_CTX_new(TLS_server_method())), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    SSL_CTX_set_max_proto_version(context_.get(), version);
    show(leaf);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(listener_, 10), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~TlsHost() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  TlsHost(const TlsHost&) = delete;

  // From the next session on; not while one is served.
  void show(const tls::testing_certificates::Certificate& leaf) {
    SSL_CTX_use_certificate(context_.get(), leaf.x509.get());
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_.get(), leaf.key.get()), 1);
  }
  SSL_CTX* context() { return context_.get(); }

  std::uint16_t port = 0;
  std::string ehlo = "250 mx.x.test\r\n";  // its reply inside TLS; changed as show() is
  std::atomic<int> handshakes{0}, resumed{0};

 private:
  void run() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      const timeval limit{5, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      serve(fd);
      ::close(fd);
    }
  }
  void serve(int fd) {
    char line[512];
    const auto say = [fd](const std::string& s) { return ::send(fd, s.data(), s.size(), MSG_NOSIGNAL) > 0; };
    say("220 mx.x.test\r\n");
    if (::recv(fd, line, sizeof line, 0) <= 0) return;
    say("250-mx.x.test\r\n250 STARTTLS\r\n");
    if (::recv(fd, line, sizeof line, 0) <= 0) return;
    say("220 go\r\n");
    const tls::SslPtr ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) {
      ERR_clear_error();
      return;
    }
    ++handshakes;
    resumed += SSL_session_reused(ssl.get());
    while (SSL_read(ssl.get(), line, sizeof line) > 0) {
      const std::string reply = line[0] == 'Q' ? "221 bye\r\n" : ehlo;
      SSL_write(ssl.get(), reply.data(), static_cast<int>(reply.size()));
    }
    SSL_shutdown(ssl.get());
    ERR_clear_error();
  }

  tls::CtxPtr context_;
  int listener_;
  std::thread thread_;
};

}  // namespace pinnace::delivery::fixture
