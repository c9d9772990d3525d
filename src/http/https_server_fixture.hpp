// An HTTPS server on the test's own loop that answers whatever it is told. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "io/stream.hpp"
#include "tls/certificate_fixture.hpp"
#include "tls/session.hpp"

namespace pinnace::http::testing_server {

namespace certificates = tls::testing_certificates;

// What it sends; with `then_hold` the connection stays open and silent afterwards.
struct Script {
  std::string bytes;
  bool then_hold = false;
};

inline std::string ok(const std::string& body, const std::string& type = "text/plain") {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

class Server {
 public:
  // `answer` is asked for each request, given its head.
  Server(io::Loop& loop, const certificates::Certificate& certificate,
         std::function<Script(const std::string&)> answer)
      : loop_(loop),
        answer_(std::move(answer)),
        listener_(io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value()) {
    std::string name = testing::TempDir() + "pinnace_https_XXXXXX";
    const std::string folder = mkdtemp(name.data());
    std::ofstream(folder + "/cert.pem") << certificate.pem();
    std::ofstream(folder + "/key.pem") << certificate.key_pem();
    context_.emplace(tls::ServerContext::load(folder + "/cert.pem", folder + "/key.pem").value());
    std::filesystem::remove_all(folder);
    loop_.spawn(serve());
  }

  std::uint16_t port() const { return listener_.local().port; }
  const std::vector<std::string>& heads() const { return heads_; }

 private:
  io::Task<void> serve() {
    for (;;) {
      auto stream = co_await listener_.accept();
      if (!stream) co_return;
      loop_.spawn(talk(std::move(*stream)));
    }
  }
  io::Task<void> talk(io::Stream stream) {
    stream.set_idle_timeout(std::chrono::seconds(10));
    const auto shaken = co_await tls::start_server(stream, *context_, handshakes_);
    if (!shaken) co_return;
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char buffer[1024];
      const auto n = co_await stream.read_some(buffer, sizeof buffer);
      if (!n || *n == 0) co_return;
      head.append(buffer, *n);
    }
    heads_.push_back(head);
    const Script script = answer_(head);
    const auto sent = co_await stream.write_all(script.bytes);
    if (!sent || !script.then_hold) co_return;
    char byte = 0;
    const auto end = co_await stream.read_some(&byte, 1);
    EXPECT_TRUE(!end || *end == 0);
  }

  io::Loop& loop_;
  tls::Handshakes handshakes_{loop_};
  std::function<Script(const std::string&)> answer_;
  io::Listener listener_;
  std::optional<tls::ServerContext> context_;
  std::vector<std::string> heads_;
};

}  // namespace pinnace::http::testing_server
