// What an operator may set of how mail is taken.
#pragma once

#include <string>
#include <vector>

#include "io/address.hpp"
#include "io/pace.hpp"
#include "queue/message.hpp"

namespace pinnace::relay {

// One way by which mail comes.
struct ListenerSettings {
  enum class Kind {
    relay,        // from other servers, for networks that may relay
    submission,   // from users (RFC 6409), who log in, behind STARTTLS
    submissions,  // the same, TLS before all else (RFC 8314 3.3)
  };
  std::string name;
  Kind kind = Kind::relay;
  std::vector<io::Endpoint> addresses;
  // relay: who may relay; others are refused every recipient. Else: from where users may log in; empty: from
  // anywhere.
  std::vector<io::Network> networks;
  std::vector<io::Network> xclient_from;               // fronts that may name their client by XCLIENT
  std::vector<io::Network> proxy_from;                 // fronts that do by the PROXY protocol, always
  queue::Priority priority = queue::Priority::normal;  // of its mail
  std::size_t max_sessions = 1000;
  std::size_t max_sessions_per_client = 100;
  std::size_t max_recipients = 1000;
  std::uint64_t max_message_size = 50 << 20;

  bool for_users() const { return kind != Kind::relay; }
};

struct Settings {
  std::string hostname;
  std::vector<ListenerSettings> listeners;
  std::size_t max_sessions = 1000;  // of all listeners
  std::size_t max_errors = 20;
  std::size_t max_received = 100;  // more Received fields than that are a loop (RFC 5321 6.3)
  std::size_t max_text_line = 998;
  std::uint64_t memory = 256 << 20;                                   // octets that sessions may hold in all
  io::PaceSettings pace;                                              // of a message's text
  base::Milliseconds command_timeout = std::chrono::minutes(5);       // RFC 5321 4.5.3.2.7
  base::Milliseconds ticket_keys_lifetime = std::chrono::hours(1);    // of the listeners' TLS tickets
  base::Milliseconds transaction_timeout = std::chrono::minutes(60);  // between two messages, and for each
};

}  // namespace pinnace::relay
