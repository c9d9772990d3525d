#include "policy/judge.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::policy {
namespace {

// A requirement that only the sender made fails for good: it is to be told (RFC 8689 4.2.1). Whatever a
// receiver's policy forbids waits: a changed key and an interception may both pass.
void refuse(Verdict& verdict, const Requirement& r, std::string failure) {
  if (std::find(verdict.failed.begin(), verdict.failed.end(), r.source) == verdict.failed.end())
    verdict.failed.push_back(r.source);
  if (!verdict.usable && !verdict.permanent) return;
  const bool wished = r.source == Source::requiretls;
  if (!verdict.usable && wished) return;  // the first one that failed tells why
  verdict.usable = false;
  verdict.permanent = wished;
  verdict.status = !wished ? "4.7.5" : r.demand == Demand::offers_requiretls ? "5.7.30" : "5.7.10";
  verdict.failure = std::move(failure);
  verdict.sentence.clear();
}

std::string advice(const Requirement& r, const Decision& decision) {
  const std::string ask = "ask its postmaster by another way, then retry";
  switch (r.source) {
    case Source::dane:
      return "Either the receiver changed its key without its TLSA records, or somebody sits in between: " +
             ask;
    case Source::pkp_host:
    case Source::pkp_domain:
      return fmt::format(
          "Either the receiver changed its key without announcing it, or somebody sits in between: "
          "{}, or forget the pins of {}",
          ask, r.source == Source::pkp_host ? "host " + decision.host : "the domain");
    case Source::sts:
      return "Either the receiver's certificate is not what its policy promises, or somebody sits in "
             "between: " +
             ask;
    case Source::sts_pins:
      return "Either the receiver changed its key without its policy, or somebody sits in between: " + ask;
    case Source::rule:
      return "This relay's own rule demands it: look whether the receiver changed, or somebody sits in "
             "between; "
             "'pinnace rule test' shows the rule";
    case Source::stsec:
    case Source::requiretls:
      break;
  }
  return "The message can be sent again without REQUIRETLS, if its sender can do without";
}

// Where the host is not even tried.
std::string advice_untried(const Requirement& r, const Decision& decision, bool lookup) {
  if (lookup) return "Either its DNS is broken, or somebody interferes with it; it is tried again";
  if (r.source == Source::rule)
    return "'pinnace rule test' shows the rule: change it if the receiver has changed";
  if (r.source == Source::requiretls) {
    return "The message can be sent again without REQUIRETLS, if its sender can do without";
  }
  return decision.mx == MxVouched::dnssec ? "DNSSEC vouches for the MX answer that names this host, so the "
                                            "domain's policy seems out of date: tell "
                                            "its postmaster"
                                          : "Either the domain has moved without its policy, or somebody "
                                            "forged the MX answer that names this host: "
                                            "ask its postmaster by another way";
}

std::string presented_text(const Presented& p) {
  return fmt::format("Presented: {} issued by {}, key {}; {}", p.subject, p.issuer, p.key,
                     p.webpki_valid
                         ? "a trusted CA vouches for it under this name, so it is a new certificate of the "
                           "receiver or one that somebody else obtained"
                         : "no trusted CA vouches for it under this name");
}

}  // namespace

Verdict judge(const Decision& decision, const std::vector<Finding>& findings, const Presented& p) {
  Verdict verdict;
  for (std::size_t i = 0; i < decision.requirements.size(); ++i) {
    const Requirement& r = decision.requirements[i];
    if (r.demand == Demand::tls || findings.at(i).met) continue;
    const std::string what = r.demand == Demand::unmet
                                 ? fmt::format("{}: {}", decision.host, r.sentence)
                                 : fmt::format("{} at {} does not match {}: {}", decision.host, p.address,
                                               r.sentence, findings[i].reason);
    if (!r.enforced) {
      verdict.reports.push_back(what);
      continue;
    }
    refuse(verdict, r, "validation-failure");
    if (verdict.sentence.empty()) {
      verdict.sentence = fmt::format("{}. {}. {}", what, presented_text(p), advice(r, decision));
    }
  }
  return verdict;
}

Verdict judge_forbidden(const Decision& decision) {
  Verdict verdict;
  for (const Requirement& r : decision.requirements) {
    if (!r.enforced || r.demand != Demand::unmet) continue;
    // A lookup that failed is the DNS's trouble; a host that is not listed is a policy's.
    const bool lookup = r.source == Source::dane || (r.source == Source::sts && decision.sts_failed);
    refuse(verdict, r, lookup ? "dnssec-invalid" : "validation-failure");
    if (!verdict.sentence.empty()) continue;
    if (lookup) verdict.status = "4.4.3";
    verdict.sentence = fmt::format("{} must not be used: {}. {}", decision.host, r.sentence,
                                   advice_untried(r, decision, lookup));
  }
  return verdict;
}

Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address) {
  Verdict verdict;
  std::string demanded;
  for (const Requirement& r : decision.requirements) {
    if (r.enforced) {
      refuse(verdict, r, "starttls-not-supported");
      demanded += (demanded.empty() ? "" : "; ") + r.sentence;
    } else {
      verdict.reports.push_back(fmt::format("{} at {}: {}: {}", decision.host, address, what, r.sentence));
    }
  }
  if (verdict.usable) return verdict;
  if (verdict.permanent) verdict.status = "5.7.10";
  verdict.sentence = fmt::format(
      "{} at {}: {}, but TLS is a must: {}. Either its TLS broke, or somebody in between "
      "takes it away",
      decision.host, address, what, demanded);
  return verdict;
}

}  // namespace pinnace::policy
