// What an operator may set of delivery.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/address.hpp"
#include "pins/noting.hpp"

namespace pinnace::delivery {

struct Settings {
  std::string hostname;  // in EHLO, and as reporting MTA
  std::uint16_t port = 25;
  std::optional<io::IpAddress> source_address;
  // Instead, for mail that came by the listener of that name (queue::Message::route): one of a family.
  std::map<std::string, std::vector<io::IpAddress>> sources;

  // The addresses to connect from for mail that came by `route`; to a host of a family that is not among
  // them the system chooses.
  std::vector<io::IpAddress> sources_of(const std::string& route) const {
    if (const auto own = sources.find(route); own != sources.end()) return own->second;
    return source_address ? std::vector{*source_address} : std::vector<io::IpAddress>();
  }
  base::Milliseconds connect_timeout = std::chrono::seconds(30);
  // RFC 5321 4.5.3.2: five minutes for a greeting and most replies.
  base::Milliseconds greeting_timeout = std::chrono::minutes(5);
  // From the connection's first octet to the last EHLO, in all; else a server that drips has thrice the
  // greeting's.
  std::optional<base::Milliseconds> opening_timeout;
  base::Milliseconds command_timeout = std::chrono::minutes(5);
  base::Milliseconds data_end_timeout = std::chrono::minutes(10);  // 4.5.3.2.6
  // After so long no further host or address of a domain is tried; the next attempt begins anew.
  base::Milliseconds attempt_timeout = std::chrono::minutes(15);
  base::Milliseconds transaction_timeout = std::chrono::hours(1);  // one message, in all
  std::size_t concurrency = 20;                                    // connections to one destination, at most
  std::size_t concurrency_initial = 5;                             // once the first has answered
  double concurrency_growth = 1;                                   // for each message that is taken
  double concurrency_shrink = 1;                                   // for each that is not
  // The longest pause between two tries of a destination or host that cannot be reached.
  base::Seconds probe_max = std::chrono::minutes(30);
  base::Milliseconds connection_idle = std::chrono::seconds(2);  // kept for a next message
  std::size_t max_connections = 500;                             // in all
  std::size_t messages_per_connection = 1000;
  // Who asked to be told of a delay, or asked nothing, is told after so long (RFC 3461 5.2.5); 0: nobody.
  base::Seconds delay_notice = std::chrono::hours(4);
  bool chunking = true;  // BDAT to a server that offers CHUNKING (RFC 3030)
  bool convert = true;   // what the host does not take of a text is written so that it does
  base::Milliseconds connection_lifetime = std::chrono::hours(1);  // no message begins later than that
  // How long after a full handshake sessions are resumed from it; 0: never.
  base::Seconds resumption_lifetime = std::chrono::hours(1);
  // "TLS-Required: No" in a message waives what its recipients' policies demand (RFC 8689 3).
  bool honour_tls_required_no = true;
  pins::NotingSettings noting;
};

}  // namespace pinnace::delivery
