// For tests: the owner of a Server. Takes every address that does not begin with "no", and records
// what it was handed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "smtp/server.hpp"

namespace pinnace::smtp {

struct TestServer {
  explicit TestServer(ServerOptions o = options()) : server(std::move(o)) { run(); }

  static ServerOptions options() {
    ServerOptions o;
    o.hostname = "mx.test";
    o.starttls = true;
    o.tls_extensions = {"PKP MAX-AGE=60"};
    return o;
  }

  // What the server says to these bytes.
  std::string talk(const std::string& bytes) {
    said.clear();
    server.receive(bytes);
    run();
    return said;
  }
  // Up to the message's text.
  std::string open_data() {
    return talk("EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
  }

  void run() {
    for (;;) {
      const Server::Action action = server.next();
      switch (action.kind) {
        case Server::Kind::send:
          said += action.bytes;
          ++sends;
          break;
        case Server::Kind::read:
          return;
        case Server::Kind::close:
          closed = true;
          return;
        case Server::Kind::start_tls:
          server.tls_established();
          break;
        case Server::Kind::body:
          text += action.bytes;
          break;
        case Server::Kind::reset:
          text.clear();
          ++resets;
          break;
        default:
          decide(action);
      }
    }
  }

  void decide(const Server::Action& action) {
    if (action.path) lines.emplace_back(action.line);
    if (shut_down_at == action.kind) server.shut_down("is being restarted");
    switch (action.kind) {
      case Server::Kind::data:
        return server.answer(to_data);
      case Server::Kind::auth:
        logins.push_back(action.login->user + "/" + action.login->password);
        return server.answer(action.login->password == "right" ? Reply::make(235, "2.7.0 welcome")
                                                               : Reply::make(535, "5.7.8 no"));
      case Server::Kind::xclient:
        named = *action.xclient;
        return server.answer(Reply::make(220, "mx.test ESMTP Pinnace"));
      case Server::Kind::body_end:
        messages.push_back(std::exchange(text, ""));
        return server.answer(to_message);
      default:
        return server.answer(action.path->path.starts_with("no") ? Reply::make(550, "5.1.1 no")
                                                                 : Reply::make(250, "2.1.5 ok"));
    }
  }

  Reply to_data = Reply::make(354, "go");
  Reply to_message = Reply::make(250, "2.0.0 queued");
  Server::Kind shut_down_at = Server::Kind::read;

  Server server;
  std::string said;
  std::string text;
  std::vector<std::string> messages;
  std::vector<std::string> lines;   // MAIL and RCPT as they came
  std::vector<std::string> logins;  // user/password
  Xclient named;
  int sends = 0;
  int resets = 0;
  bool closed = false;
};

}  // namespace pinnace::smtp
