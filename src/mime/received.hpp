// The trace field that a relay puts in front of what it takes (RFC 5321 4.4).
#pragma once

#include <string>

#include "base/clock.hpp"

namespace pinnace::mime {

struct Trace {
  std::string client_name;  // as in its EHLO: hostile
  std::string client_host;  // its name in the DNS, where a front found one; else empty: hostile
  std::string client_ip;
  std::string by;
  bool extended = true;  // EHLO
  bool tls = false;
  bool authenticated = false;  // the client logged in
  std::string tls_text;        // "TLSv1.3/TLS_AES_256_GCM_SHA384"
  bool smtputf8 = false;
  std::string id;
  std::string recipient;  // only where there is one: others must not learn of each other
  base::Time at{};
};

// With its CRLF, folded; no line is longer than 998 octets, and none than 78 unless a name is.
std::string received_field(const Trace& trace);

}  // namespace pinnace::mime
