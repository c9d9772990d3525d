// For tests: the owner of a Client and the server at the other end, from a script: what the client
// must say, and what it hears then.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "smtp/client.hpp"

namespace pinnace::smtp {

struct Exchange {
  std::string expect;  // "BODY" stands for the message's text, or for one of its chunks
  std::string reply;
};

inline std::vector<Exchange> after_greeting(const std::vector<Exchange>& more) {
  std::vector<Exchange> all = {{"", "220 mx.test\r\n"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

struct TestPeer {
  // What the network does to each reply: gives it whole, or octet by octet.
  enum class Cut { whole, octets };

  TestPeer(Client::Tls tls, std::vector<Exchange> s, Cut c = Cut::whole,
           Client::Protocol protocol = Client::Protocol::smtp)
      : client("relay.test", tls, protocol), script(std::move(s)), cut(c) {}

  // Until ready, done, failed or closed. The script's end closes the connection.
  Client::Kind run() {
    for (;;) {
      const Client::Action action = client.next();
      switch (action.kind) {
        case Client::Kind::send:
          sent += action.bytes;
          ++sends;
          break;
        case Client::Kind::read:
          read();
          break;
        case Client::Kind::start_tls:
          client.tls_established();
          break;
        case Client::Kind::send_body:
          send_text();
          break;
        default:
          return action.kind;
      }
    }
  }

  void send_text() {
    const bool last = ++chunks_sent == chunks;
    if (client.chunking()) sent += client.chunk_head(4, last);
    sent += "BODY";
    if (!client.chunking()) return client.body_sent();
    if (last) chunks_sent = 0;
    client.chunk_sent(last);
  }

  void read() {
    if (left.empty()) {
      if (at == script.size()) return client.peer_closed();
      EXPECT_EQ(sent, script[at].expect);
      sent.clear();
      left = script[at++].reply;
    }
    const std::size_t n = cut == Cut::whole ? left.size() : 1;
    client.receive(left.substr(0, n));
    left.erase(0, n);
  }

  Client client;
  std::vector<Exchange> script;
  Cut cut;
  std::size_t at = 0;
  std::size_t chunks = 1;  // of a text that goes by BDAT
  std::size_t chunks_sent = 0;
  std::string left;
  std::string sent;
  int sends = 0;
};

}  // namespace pinnace::smtp
