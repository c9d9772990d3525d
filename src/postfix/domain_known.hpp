// What is known of a domain's mail hosts at the moment at which Postfix is told how to reach them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "policy/decision.hpp"
#include "sts/cached.hpp"

namespace pinnace::postfix {

// A chain that a host showed to a probe, and that satisfied all of the decision's enforced requirements then.
struct SeenChain {
  std::string key_sha256;          // of the leaf's SubjectPublicKeyInfo; 32 octets
  std::string certificate_sha256;  // of the leaf's DER; 32 octets
  base::Time not_after{};          // the earliest of the chain's
  // CA certificates, PEM: what stands under one of them and bears the names meets all that pins and TLSA
  // records demand. None: the leaf's own key matched somewhere, or no one CA speaks for all.
  std::vector<std::string> anchors;
};

struct HostKnown {
  std::string host;  // as the MX names it
  // Null: it cannot be used now, for the DNS (`problem`).
  std::shared_ptr<const policy::Decision> decision;
  std::string problem;
  std::vector<SeenChain> seen;  // by probes that the decision held to; newest first
  // Where there is no decision: what binds it all the same, should Postfix reach it.
  policy::Bound bound = policy::Bound::nothing;
};

struct DomainKnown {
  enum class Kind {
    hosts,
    no_mail,  // null MX (RFC 7505), or there is no such domain: nothing to protect
    failure,  // what the DNS says cannot be had or trusted
  };
  std::string domain;
  Kind kind = Kind::failure;
  std::string detail;                      // of the last two
  bool mx_secure = false;                  // DNSSEC vouches for the names of the hosts
  std::vector<HostKnown> hosts;            // best first
  std::shared_ptr<const sts::Cached> sts;  // the policy in force; null: none
  std::string sts_problem;                 // result type of a fetch that failed (RFC 8460 4.3.2.2)
  base::Time now{};
};

}  // namespace pinnace::postfix
