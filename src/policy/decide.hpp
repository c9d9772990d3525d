// The one decision: facts about a host in, what a connection to it must satisfy out,
// each requirement with its source and a sentence for a person.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dane/tlsa.hpp"
#include "pins/pin_set.hpp"
#include "policy/rule.hpp"
#include "sts/cached.hpp"

namespace pinnace::policy {

enum class Source : std::uint8_t { dane, pkp_host, pkp_domain, sts, sts_pins, stsec, rule, requiretls };
std::string_view to_string(Source source);  // "dane", "pkp-host", "pkp-domain", "sts", "sts-pins", ...

// What the sender of the message asked for (RFC 8689).
enum class Wish : std::uint8_t { none, require, waive };

struct Facts {
  std::string domain;      // recipient domain
  std::string canonical;   // at the end of its aliases, where the MX records are; empty: itself
  std::string host;        // MX host, with ":port" where it is not 25
  std::string host_name;   // MX host alone, as a certificate names it
  bool mx_secure = false;  // DNSSEC vouches for the host's name
  bool no_mx = false;      // the host is the recipient domain itself: nothing else named it
  dane::HostTlsa tlsa;
  std::optional<pins::PinSet> host_pins;
  std::optional<pins::PinSet> domain_pins;
  std::optional<pins::StsecRecord> stsec;
  std::optional<sts::Cached> sts;  // live
  std::string sts_detail;          // where it is from, or why there is none, for people
  bool sts_failed = false;         // whether there is a policy cannot be said: the DNS answer is forged
  bool sts_unsure = false;         // none was found, for a lookup or fetch failed: there may be one
  std::shared_ptr<const Rule> domain_rule;  // null: none
  std::shared_ptr<const Rule> host_rule;
  Wish wish = Wish::none;
  bool bounce = false;  // the null reverse-path: REQUIRETLS holds nothing up (RFC 8689 4.2.1, 5)
  base::Time now{};
};

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
};
std::string_view to_string(MxVouched by);  // for the log: "insecure", "secure", "itself", "sts", "rule"

struct Decision {
  std::string host;
  bool tls_required = false;
  bool tls_never = false;  // a rule says so, and nothing demands TLS
  MxVouched mx =
      MxVouched::no;        // else a host that is authenticated need not be the domain's (RFC 7672 2.2.1)
  bool sts_failed = false;  // as in the facts, or a policy is needed that could not be had
  std::string server_name;  // SNI: the TLSA base domain (RFC 7672 8.1), else the MX host
  std::vector<Requirement> requirements;
  std::vector<std::string> notes;  // what was looked for and binds nothing, for people
  // Connections may be reused only where host and key are equal: no policy inherits a session that
  // was made under another.
  std::string key;

  std::string sentence() const;  // all of it, for people
  std::string summary() const;   // for the log: "dane, pkp-host (tested)"; "none"
};

Decision decide(const Facts& facts);

// The whole reasoning, a line each, for `pinnace explain` and the golden files of the tests.
std::vector<std::string> explained(const Decision& decision);

}  // namespace pinnace::policy
