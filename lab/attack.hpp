// What an attacker in the receiver's place does, as a table: one row an attack. The sessions that
// act it out are in session.hpp.
#pragma once

#include <string_view>

namespace lab {

enum class StartTls { offered, hidden, refused };

// What answers the sender: the attacker itself; the real receiver, with the attacker's TLS between
// (terminate) or byte for byte until it is cut off (pass); or nobody.
enum class Answers { attacker, receiver_over_own_tls, receiver_until_reset, nobody };

// Where the attacker shows pins of its own making.
enum class ForgedPins { none, inside_tls, before_tls };

struct Attack {
  std::string_view name;
  std::string_view says;
  StartTls starttls = StartTls::offered;
  Answers answers = Answers::attacker;
  ForgedPins forged = ForgedPins::none;
  // The certificate is the receiver's own, public as it is; the key can only be a made-up one.
  bool replays_certificate = false;
};

inline constexpr Attack kAttacks[] = {
    {.name = "own-cert", .says = "presents a certificate the attacker signed"},
    {.name = "ca-cert", .says = "presents a certificate of a trusted CA for the right name"},
    {.name = "strip-starttls", .says = "does not offer STARTTLS", .starttls = StartTls::hidden},
    {.name = "refuse-starttls", .says = "answers STARTTLS with 454", .starttls = StartTls::refused},
    {.name = "replay",
     .says = "presents the receiver's certificate without its key",
     .replays_certificate = true},
    {.name = "strip-pkp",
     .says = "passes the session on to the receiver and takes the PKP and STSEC lines out",
     .answers = Answers::receiver_over_own_tls},
    {.name = "forge-pkp", .says = "advertises pins of its own inside TLS", .forged = ForgedPins::inside_tls},
    {.name = "inject-before-tls",
     .says = "sends pins of its own in clear, in the first EHLO reply and behind the reply to STARTTLS",
     .forged = ForgedPins::before_tls},
    {.name = "drop",
     .says = "passes the receiver's bytes on and resets after so many",
     .answers = Answers::receiver_until_reset},
    {.name = "silent", .says = "accepts the connection and says nothing", .answers = Answers::nobody},
};

}  // namespace lab
