// What a connection to a host must satisfy: requirements, each with its source and a sentence for a person.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dane/tlsa.hpp"
#include "pins/pin.hpp"
#include "policy/rule.hpp"

namespace pinnace::policy {

enum class Source : std::uint8_t { dane, pkp_host, pkp_domain, sts, sts_pins, stsec, rule, requiretls };
std::string_view to_string(Source source);  // "dane", "pkp-host", "pkp-domain", "sts", "sts-pins", ...

// What is demanded of a connection.
enum class Demand : std::uint8_t {
  tls,                // authenticated or not
  pins,               // one of `pins` matches
  dane,               // one of `tlsa` matches
  webpki,             // a trusted CA vouches for one of `names`
  protocol,           // TLS of at least `protocol`
  offers_requiretls,  // the EHLO reply inside TLS has REQUIRETLS
  unmet,              // nothing satisfies it: the host must not be used now
};
std::string_view to_string(Demand demand);  // "tls", "pins", ...; "cannot be met"

struct Requirement {
  Source source = Source::stsec;
  Demand demand = Demand::tls;
  bool enforced = true;               // else tested and reported
  std::string_view aside = "tested";  // where it is not: "tested", "ignored by rule", "waived by sender"
  std::vector<pins::Pin> pins;
  std::vector<dane::Tlsa> tlsa;
  std::vector<std::string> names;  // that a leaf under a CA may bear
  Protocol protocol = Protocol::tls12;
  std::string sentence;
};

// What vouches that the host is one of the recipient domain's.
enum class MxVouched : std::uint8_t {
  no,
  dnssec,
  itself,  // it is the recipient domain: nothing else named it
  sts,     // an enforced MTA-STS policy lists it
  rule,    // the operator does
  route,   // the operator named it in place of the domain's MX
};
std::string_view to_string(MxVouched by);  // for the log: "insecure", "secure", "itself", "sts", "rule", ...

// How much is known to be demanded of a host that cannot be looked up.
enum class Bound : std::uint8_t { nothing, tls, proof };  // proof: of who is there

struct Decision {
  std::string host;
  bool tls_required = false;
  bool tls_never = false;  // a rule says so, or no network is between, and nothing demands TLS
  bool tls_may = false;    // a rule says tls = may, and nothing demands TLS
  bool mx_ruled = false;   // a rule lists the hosts that may be used
  MxVouched mx =
      MxVouched::no;        // else a host that is authenticated need not be the domain's (RFC 7672 2.2.1)
  bool sts_failed = false;  // as in the facts, or a policy is needed that could not be had
  std::string server_name;  // SNI: the TLSA base domain (RFC 7672 8.1), else the MX host
  std::optional<ClientCertificate> client_certificate;  // shown where the host asks for one
  std::vector<Requirement> requirements;
  std::vector<std::string> notes;  // what was looked for and binds nothing, for people
  // Connections may be reused only where host and key are equal: no policy inherits a session that
  // was made under another.
  std::string key;

  // May a TLS session be resumed under it? Not where each handshake counts: provisional pins become enforced
  // by sessions in which the peer proved its key (pinning-protocol 3).
  bool resumable() const;

  std::string sentence() const;  // all of it, for people
  std::string summary() const;   // for the log: "dane, pkp-host (tested)"; "none"
};

// The whole reasoning, a line each, for `pinnace explain` and the golden files of the tests.
std::vector<std::string> explained(const Decision& decision);

}  // namespace pinnace::policy
