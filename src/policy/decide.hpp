// The one decision: facts about a host in, what a connection to it must satisfy out,
// each requirement with its source and a sentence for a person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dane/tlsa.hpp"
#include "pins/pin_set.hpp"

namespace pinnace::policy {

enum class Source : std::uint8_t { dane, pkp_host, pkp_domain, stsec, requiretls };
std::string_view to_string(Source source);  // "dane", "pkp-host", "pkp-domain", "stsec", "requiretls"

// What the sender of the message asked for (RFC 8689).
enum class Wish : std::uint8_t { none, require, waive };

struct Facts {
  std::string domain;      // recipient domain
  std::string host;        // MX host, with ":port" where it is not 25
  std::string host_name;   // MX host alone, as a certificate names it
  bool mx_secure = false;  // DNSSEC vouches for the host's name
  bool no_mx = false;      // the host is the recipient domain itself: nothing else named it
  dane::HostTlsa tlsa;
  std::optional<pins::PinSet> host_pins;
  std::optional<pins::PinSet> domain_pins;
  std::optional<pins::StsecRecord> stsec;
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
  offers_requiretls,  // the EHLO reply inside TLS has REQUIRETLS
  unmet,              // nothing satisfies it: the host must not be used now
};

struct Requirement {
  Source source = Source::stsec;
  Demand demand = Demand::tls;
  bool enforced = true;  // else tested and reported
  std::vector<pins::Pin> pins;
  std::vector<dane::Tlsa> tlsa;
  std::vector<std::string> names;  // that a leaf under a CA may bear
  std::string sentence;
};

struct Decision {
  std::string host;
  bool tls_required = false;
  bool mx_secure = false;   // else a host that is authenticated need not be the domain's (RFC 7672 2.2.1)
  std::string server_name;  // SNI: the TLSA base domain (RFC 7672 8.1), else the MX host
  std::vector<Requirement> requirements;
  std::vector<std::string> notes;  // what was looked for and binds nothing, for people

  // Connections may be reused only where host and key are equal: no policy inherits a session that
  // was made under another.
  std::string key() const;
  std::string sentence() const;  // all of it, for people
  std::string summary() const;   // for the log: "dane, pkp-host (tested)"; "none"
};

Decision decide(const Facts& facts);

// How one requirement fared in a session.
struct Finding {
  bool met = false;
  std::string reason;  // where it was not
};

// What the session showed, for people.
struct Presented {
  std::string subject;
  std::string issuer;
  std::string key;            // the leaf's pin
  bool webpki_valid = false;  // a CA the system trusts vouches for it under the host's name
  std::string address;
};

struct Verdict {
  bool usable = true;
  bool permanent = false;            // only what the sender itself demanded failed (RFC 8689 4.2.1)
  std::string status;                // enhanced code: "4.7.5", "5.7.10", "5.7.30"
  std::string failure;               // RFC 8460 4.3: "validation-failure", "starttls-not-supported"
  std::string sentence;              // why not, and what an operator can do
  std::vector<std::string> reports;  // what failed and was only tested
};

// `findings` stand in the order of decision.requirements.
Verdict judge(const Decision& decision, const std::vector<Finding>& findings, const Presented& presented);

// Not usable: something is demanded that nothing can meet, and the host must not be tried at all.
Verdict judge_forbidden(const Decision& decision);
// No TLS was to be had although it is required: `what` says how ("STARTTLS is not offered").
Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address);

}  // namespace pinnace::policy
