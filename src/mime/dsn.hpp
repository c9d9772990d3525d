// Delivery status notifications (RFC 3464) in their multipart/report (RFC 6522): plain
// words, the machine's part, and the headers of the message they are about. Headers
// only: a bounce must not carry what the failed hop protected.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::mime {

struct FailedRecipient {
  std::string address;
  std::string status;                // of the last attempt: "5.1.1"; "4.4.1" where the lifetime ended it
  std::string reason;                // plain words
  std::string reply;                 // the peer's own words, where there are some: hostile
  std::string remote_mta;            // MX host
  bool protected_by_policy = false;  // kept back because no server proved to be the right one
  base::Time last_attempt{};
};

struct Dsn {
  std::string reporting_mta;
  std::string to;  // the reverse-path of the message that failed
  std::string queue_id;
  base::Time arrived{};
  base::Time now{};
  bool expired = false;  // the lifetime is over, rather than a refusal
  base::Seconds lifetime{};
  std::vector<FailedRecipient> recipients;
  std::string header;  // of the message that failed
  std::string token;   // unique; for boundary and Message-ID: letters, digits, hyphens; at most 50
};

struct DsnText {
  std::string text;        // lines end in CRLF and have at most 998 octets before it
  bool eight_bit = false;  // only where an address or the returned headers are
};

DsnText make_dsn(const Dsn& dsn);

}  // namespace pinnace::mime
