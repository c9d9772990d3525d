// One client's session with the relay.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mime/header.hpp"
#include "mime/missing_fields.hpp"
#include "relay/relay.hpp"

namespace pinnace::relay {

// What a session holds at most outside of a body: lines and replies, and what TLS does.
inline constexpr std::uint64_t kSessionOctets = 64 << 10;

struct Relay::Session {
  Session(io::Stream s, const ListenerSettings& l, base::Budget& memory_of_all)
      : stream(std::move(s)), listener(l), memory(memory_of_all) {}
  // A message, and a pause between two, may take so long.
  void allow(base::Milliseconds time) {
    ends = io::Steady::now() + time;
    pace.reset();
    stream.set_deadline(ends);
  }
  io::Stream stream;
  const ListenerSettings& listener;
  smtp::Server server{smtp::ServerOptions()};
  base::Share memory;
  io::Steady::time_point ends;
  std::optional<io::Pace> pace;      // while a body is taken
  io::IpAddress client;              // whom a front named, where one did
  std::string client_host;           // its name, where a front said it
  bool counted = false;              // among its client's sessions
  bool front = false;                // it may name its client by XCLIENT
  bool in_networks = false;          // of the listener
  std::vector<std::string> senders;  // whom the user may send as (auth::User)
  bool in_transaction = false;
  tls::Handshake handshake;
  queue::Envelope envelope;
  std::optional<queue::Queue::Writer> writer;
  std::optional<mime::HeaderScanner> scanner;
  std::optional<mime::MissingFields> missing;  // where mail is submitted
  std::optional<base::Error> failed;           // of the body, answered at its end
};

// A session is counted as long as it is served, however that ends.
struct Relay::Registration {
  Relay& relay;
  Session& session;
  Registration(Relay& r, Session& s) : relay(r), session(s) {
    std::size_t& of_listener = relay.per_listener_[&session.listener];
    relay.sessions_.insert(&session);
    ++of_listener;
  }
  Registration(const Registration&) = delete;
  ~Registration() {
    relay.sessions_.erase(&session);
    --relay.per_listener_[&session.listener];
    relay.forget_client(session);
  }
};

}  // namespace pinnace::relay
