// The one decision: facts about a host in, what a connection to it must satisfy out,
// each requirement with its source and a sentence for a person.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pins/pin_set.hpp"

namespace pinnace::policy {

enum class Source : std::uint8_t { pkp_host, pkp_domain, stsec };
std::string_view to_string(Source source);  // "pkp-host", "pkp-domain", "stsec"

struct Facts {
  std::string domain;      // recipient domain
  std::string host;        // MX host, with ":port" where it is not 25
  std::string host_name;   // MX host alone, as a certificate names it
  bool mx_secure = false;  // DNSSEC vouches for the host's name
  std::optional<pins::PinSet> host_pins;
  std::optional<pins::PinSet> domain_pins;
  std::optional<pins::StsecRecord> stsec;
  base::Time now{};
};

struct Requirement {
  Source source = Source::stsec;
  bool enforced = true;            // else tested and reported
  std::vector<pins::Pin> pins;     // empty: TLS alone is required
  std::vector<std::string> names;  // that a CA pin's leaf may bear
  std::string sentence;
};

struct Decision {
  std::string host;
  bool tls_required = false;
  std::vector<Requirement> requirements;

  // Connections may be reused only where host and key are equal: no policy inherits a session that
  // was made under another.
  std::string key() const;
  std::string sentence() const;  // all of it, for people
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
  std::string status;                // enhanced code: "4.7.5"
  std::string failure;               // RFC 8460 4.3: "validation-failure", "starttls-not-supported"
  std::string sentence;              // why not, and what an operator can do
  std::vector<std::string> reports;  // what failed and was only tested
};

// `findings` stand in the order of decision.requirements.
Verdict judge(const Decision& decision, const std::vector<Finding>& findings, const Presented& presented);

// No TLS was to be had although it is required: `what` says how ("STARTTLS is not offered").
Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address);

}  // namespace pinnace::policy
