// From a decision and what a session showed to a verdict: may mail go over it, and if not, why, and what an
// operator can do.
#pragma once

#include <string>
#include <vector>

#include "policy/decide.hpp"

namespace pinnace::policy {

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
  std::vector<Source> failed;        // whose enforced requirements are not met
  std::vector<std::string> reports;  // what failed and was only tested
};

// `findings` stand in the order of decision.requirements.
Verdict judge(const Decision& decision, const std::vector<Finding>& findings, const Presented& presented);

// Not usable: something is demanded that nothing can meet, and the host must not be tried at all.
Verdict judge_forbidden(const Decision& decision);
// No TLS was to be had although it is required: `what` says how ("STARTTLS is not offered").
Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address);

}  // namespace pinnace::policy
