// One address of a mail host, looked at as a delivery would see it, and nothing sent: EHLO, STARTTLS, EHLO,
// QUIT. The verdict is the one that a delivery comes to, by the same functions.
#pragma once

#include <string>
#include <vector>

#include "delivery/session.hpp"
#include "discovery/pin_store.hpp"
#include "pins/advert.hpp"

namespace pinnace::delivery {

struct ProbeOrder {
  policy::Decision decision;  // as a delivery would have it
  dane::HostTlsa tlsa;
  std::string host;
  io::IpAddress address;
  std::uint16_t port = 0;  // 0: that of the settings
  // Not null: what the host advertises is noted there for `binding`, as a delivery notes it that found it
  // usable. Nothing is noted for a domain: that takes a message that was accepted (pinning-protocol 4).
  discovery::PinStore* pins = nullptr;
  std::string binding = {};
};

// The leaf, for people. Hostile text.
struct LeafSeen {
  std::string subject, issuer;
  std::vector<std::string> dns_names;
  base::Time not_after{};
  std::string key_sha256;  // in hex: the data of "3 1 1"
  bool names_host = false;
  std::string webpki_problem;  // empty: a trusted CA vouches for it under the host's name
};

struct TlsaSeen {
  dane::Tlsa record;
  std::string unusable;  // why; empty: it can be used
  bool matches = false;
};

// What is advertised inside TLS.
struct PinsSeen {
  std::optional<pins::Advert> advert;  // a valid one
  std::vector<std::string> problems;   // of an invalid one: why; of a valid one: what was passed over
  std::string not_noted;               // why a sender that knows nothing yet would not note it
  bool authenticated = false;          // by other means: it would be enforced at once
};

struct StsecSeen {
  std::optional<pins::Stsec> stsec;
  std::string problem;
};

struct Probed {
  io::IpAddress address;
  std::string unreachable;  // why there was no SMTP session to the end; empty: there was
  bool refused = false;     // with `unreachable`: the server itself said so
  std::string no_tls;       // why there is none; empty: there is
  bool tls_broken = false;  // with `no_tls`: it was offered
  std::string version, cipher;
  tls::PeerChain chain;
  LeafSeen leaf;
  std::vector<TlsaSeen> tlsa;
  std::vector<policy::Finding> findings;  // in the order of the decision's requirements; with TLS
  std::string verified_by;                // as the log has it: "dane (3 1 1)", "webpki", "nothing"
  std::optional<PinsSeen> pins;           // nothing: not advertised
  std::optional<StsecSeen> stsec;
  std::vector<std::string> before_tls;  // of PKP and STSEC, what was said in the clear
  bool offers_requiretls = false;
  policy::Verdict verdict;  // of the policies alone
  bool usable = false;      // a delivery would hand mail over here
};

// `tools` outlive it. Ends within settings.opening_timeout and five seconds.
io::Task<Probed> probe(Tools& tools, ProbeOrder order);

}  // namespace pinnace::delivery
