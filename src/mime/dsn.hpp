// Delivery status notifications (RFC 3464) in their multipart/report (RFC 6522): plain
// words, the machine's part, and the message they are about, or its header only: what a
// failed hop protected does not go back with them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::mime {

// RFC 3464 2.3.3
enum class Action {
  failed,
  delayed,
  delivered,  // into the mailbox
  relayed,    // to a server that sends no such notices
};
std::string_view to_string(Action action);

struct DsnRecipient {
  std::string address;
  std::string status;                // of the last attempt: "5.1.1"; "4.4.1" where the lifetime ended it
  std::string reason;                // plain words
  std::string reply;                 // the peer's own words, where there are some: hostile
  std::string remote_mta;            // MX host
  bool protected_by_policy = false;  // kept back because no server proved to be the right one
  base::Time last_attempt{};
  bool in_turn = false;  // it waits, or waited, for its turn: nothing failed
  Action action = Action::failed;
  std::string original = {};  // the field Original-Recipient, "rfc822;a@x.test" (RFC 3461 6.3); empty: none
};

struct Dsn {
  std::string reporting_mta;
  std::string to;           // the reverse-path of the message
  std::string envelope_id;  // the field Original-Envelope-Id (RFC 3461 6.3); empty: none
  std::string queue_id;
  base::Time arrived{};
  base::Time now{};
  bool expired = false;  // the lifetime is over, rather than a refusal
  base::Seconds lifetime{};
  std::vector<DsnRecipient> recipients;  // at least one
  std::string returned;                  // of the message: its header
  bool returned_whole = false;           // all of it: lines of at most 998 octets, CRLF only, no NUL
  bool smtputf8 = false;                 // the message was one of RFC 6531
  std::string token;  // unique; for boundary and Message-ID: letters, digits, hyphens; at most 50
};

struct DsnText {
  std::string text;        // lines end in CRLF and have at most 998 octets before it
  bool eight_bit = false;  // only where an address or what is returned are
  bool smtputf8 = false;   // to be sent with SMTPUTF8, as its header needs it
};

DsnText make_dsn(const Dsn& dsn);

}  // namespace pinnace::mime
