// A server session fed with anything: it ends, holds no unbounded buffer, answers only whole
// lines, never hands out a message with a bare line end that is not binary, and takes REQUIRETLS and logins
// inside TLS only.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "smtp/server.hpp"

using namespace pinnace::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ServerOptions options;
  options.hostname = "mx.test";
  options.starttls = true;
  options.requiretls = options.dsn = options.chunking = true;
  options.max_message_size = 4096;
  options.auth = options.auth_required = (data[0] & 128) != 0;
  options.xclient = (data[0] & 64) != 0;
  Server server(options);
  const std::size_t step = data[0] % 64 + 1;  // how the bytes are cut
  std::string_view left(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string message;
  for (int turns = 0; turns < 1'000'000; ++turns) {
    const auto action = server.next();
    switch (action.kind) {
      case Server::Kind::send:
        if (!action.bytes.ends_with("\r\n")) std::abort();
        break;
      case Server::Kind::read:
        if (left.empty()) {
          server.peer_closed();
        } else {
          server.receive(left.substr(0, step));
          left.remove_prefix(std::min(step, left.size()));
        }
        break;
      case Server::Kind::start_tls:
        server.tls_established();
        break;
      case Server::Kind::data:
        server.answer(Reply::make(354, "go"));
        break;
      case Server::Kind::body:
        message += action.bytes;
        break;
      case Server::Kind::body_end:
        for (std::size_t i = 0; i < message.size() && !server.body_binary(); ++i) {
          if (message[i] == '\n' && (i == 0 || message[i - 1] != '\r')) std::abort();
          if (message[i] == '\r' && (i + 1 == message.size() || message[i + 1] != '\n')) std::abort();
        }
        if (message.size() > 4096) std::abort();
        message.clear();
        server.answer(Reply::make(250, "ok"));
        break;
      case Server::Kind::reset:
        message.clear();
        break;
      case Server::Kind::close:
        return 0;
      case Server::Kind::auth: {
        const Login& login = *action.login;
        if (!server.in_tls() || login.user.empty() || login.user.size() > Login::kMost) std::abort();
        if (login.password.empty() || login.password.size() > Login::kMost) std::abort();
        const bool good = login.password.size() % 2 == 0;
        server.answer(good ? Reply::make(235, "ok") : Reply::make(535, "no"));
        break;
      }
      case Server::Kind::xclient:
        server.answer(Reply::make(220, "mx.test"));
        break;
      case Server::Kind::mail:
        if (options.auth_required && (server.user().empty() || !server.in_tls())) std::abort();
        if (server.requiretls() && !server.in_tls()) std::abort();  // RFC 8689 2
        server.answer(Reply::make(250, "ok"));
        break;
      default:
        server.answer(Reply::make(250, "ok"));
    }
  }
  std::abort();
}
