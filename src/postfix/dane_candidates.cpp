// Postfix's own DANE. At `dane-only` it uses a host only if that has usable TLSA records and proves one; at
// `dane` it falls back to `encrypt` where all are unusable and to `may` where there are none. At both, a host
// whose TLSA records cannot be looked up is passed over for the next, and nothing of this holds for hosts
// that an unsigned MX answer names: there `dane-only` refuses, and what `dane` does is main.cf's
// smtp_tls_dane_insecure_mx_policy, "may" unless it is set (dane_init() of smtp_tls_policy.c, postconf(5)).
#include <algorithm>

#include "postfix/candidates.hpp"

namespace pinnace::postfix {
namespace {

bool proven_by_dane(const Demands& host) {
  return std::all_of(host.proofs.begin(), host.proofs.end(),
                     [](const policy::Requirement* r) { return r->demand == policy::Demand::dane; });
}

// Why it is left out; empty: it is used; nothing: it could be used without what is demanded of it.
std::optional<std::string> under_dane_only(const Demands& host) {
  if (!host.reachable) return host.known->problem;
  if (!host.signed_name) return "an unsigned MX answer names it: Postfix does no DANE with it";
  // Postfix knows of no rule that sets them aside.
  if (host.tlsa_waived) {
    if (!host.proofs.empty() || host.forbidden_otherwise) return std::nullopt;
    return "a rule sets its TLSA records aside, and others need DANE";
  }
  switch (host.tlsa) {
    case Tlsa::none:
      return "it has no TLSA records, and others need DANE";
    case Tlsa::unusable:
      return "none of its TLSA records is usable, and others need DANE";
    case Tlsa::failed:
      // Postfix asks anew, and may get them the next moment.
      if (!host.proofs.empty() || host.forbidden_otherwise) return std::nullopt;
      return "its TLSA records cannot be had";
    case Tlsa::usable:
      break;
  }
  if (!host.usable() || !proven_by_dane(host)) return std::nullopt;
  return "";
}

// MTA-STS, STSEC or a rule, which bind where the TLSA records go, are not met by a fallback to `may`.
std::optional<std::string> under_dane(const Demands& host) {
  if (!host.reachable) return host.known->problem;
  if (host.tls && !(host.signed_name && host.dane_alone)) return std::nullopt;
  if (host.tlsa_waived) return "a rule sets its TLSA records aside, and others need DANE";
  if (host.tlsa == Tlsa::failed) return "its TLSA records cannot be had";
  return "";
}

}  // namespace

std::optional<Candidate> by_dane(const View& view, bool only) {
  if (!only && view.sts_enforced()) return std::nullopt;
  Candidate out;
  out.level = only ? "dane-only" : "dane";
  for (const Demands& host : view.hosts) {
    std::optional<std::string> why = only ? under_dane_only(host) : under_dane(host);
    if (!why) return std::nullopt;
    out.left_out.push_back(std::move(*why));
  }
  return out;
}

}  // namespace pinnace::postfix
