// Connections that do nothing, for bench/gate.py:
//
//     bench_idle PORT CONNECTIONS ADDRESSES
//
// Connects to 127.0.0.1:PORT from 127.0.1.1 and so on, as many addresses as said; STARTTLS and EHLO on each.
// Says "ready" with how many there are, and holds them until its standard input ends.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 8;

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

struct Connection {
  int fd = -1;
  SSL* ssl = nullptr;

  ssize_t read(char* to, int size) {
    return ssl ? SSL_read(ssl, to, size) : ::read(fd, to, static_cast<size_t>(size));
  }
  ssize_t write(std::string_view line) {
    return ssl ? SSL_write(ssl, line.data(), static_cast<int>(line.size()))
               : ::write(fd, line.data(), line.size());
  }
  // Whether a reply of this class came, whole.
  bool heard(char wanted) {
    std::string in;
    char buffer[4096];
    for (;;) {
      const auto begin = in.size() < 2 ? std::string::npos : in.rfind('\n', in.size() - 2);
      const std::size_t last = begin == std::string::npos ? 0 : begin + 1;
      if (in.ends_with('\n') && in.size() > last + 3 && in[last + 3] == ' ') return in[last] == wanted;
      const ssize_t n = read(buffer, sizeof buffer);
      if (n <= 0) return false;
      in.append(buffer, static_cast<std::size_t>(n));
    }
  }
  bool ask(std::string_view line) { return write(line) == static_cast<ssize_t>(line.size()) && heard('2'); }
};

in_addr_t address(int number) { return htonl((127u << 24) + (1u << 8) + 1 + static_cast<unsigned>(number)); }

bool open(Connection& c, SSL_CTX* context, std::uint16_t port, int from) {
  c.fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{60, 0};
  ::setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in source{}, to{};
  source.sin_family = to.sin_family = AF_INET;
  source.sin_addr.s_addr = address(from);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  if (::bind(c.fd, reinterpret_cast<sockaddr*>(&source), sizeof source) != 0) return false;
  if (::connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return false;
  if (!c.heard('2') || !c.ask("EHLO idle.test\r\n") || !c.ask("STARTTLS\r\n")) return false;
  SSL* const ssl = SSL_new(context);
  SSL_set_fd(ssl, c.fd);
  if (SSL_connect(ssl) != 1) return false;
  c.ssl = ssl;
  return c.ask("EHLO idle.test\r\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "bench_idle PORT CONNECTIONS ADDRESSES\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const int addresses = std::atoi(argv[3]);
  std::vector<Connection> all(static_cast<std::size_t>(std::atoi(argv[2])));
  const Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  std::atomic<std::size_t> next = 0, there = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < all.size(); i = next++)
        there += open(all[i], context.get(), port, static_cast<int>(i) % addresses) ? 1 : 0;
    });
  }
  for (std::thread& t : threads) t.join();
  fmt::print("ready {}\n", there.load());
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;
  return 0;  // the kernel closes all
}
