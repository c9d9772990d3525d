// What the decision about one host demands, sorted by what Postfix could do about it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "postfix/domain_known.hpp"

namespace pinnace::postfix {

// What Postfix itself finds, and binds the host to, at its levels dane and dane-only; whether our decision
// does so or a rule set it aside.
enum class Tlsa { none, unusable, usable, failed };

struct Demands {
  const HostKnown* known = nullptr;
  std::string name;         // the host's, without a port
  bool reachable = false;   // its address is known
  std::string forbidden;    // why it must not be used; empty: it may be
  bool tls = false;         // something is enforced
  bool dane_alone = false;  // all of that is DANE's
  // The enforced requirements that ask who is there: pins, dane, webpki. Each must be met.
  std::vector<const policy::Requirement*> proofs;
  std::optional<policy::Protocol> protocol;
  Tlsa tlsa = Tlsa::none;
  bool tlsa_waived = false;          // by a rule
  bool forbidden_otherwise = false;  // by more than TLSA records that cannot be had
  // Postfix takes the host's TLSA records as they are: the MX answer that names it is signed, or there is
  // none.
  bool signed_name = false;

  bool usable() const { return reachable && forbidden.empty(); }
};

Demands demands_of(const HostKnown& host);

}  // namespace pinnace::postfix
