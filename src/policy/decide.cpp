#include "policy/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::policy {
namespace {

std::string describe(const pins::PinSet& set, base::Time now) {
  return fmt::format("{} pins of {} {}, noted {} from {} ({}, {}{}), in force until {}",
                     set.live_pins(now).size(), set.scope == pins::Scope::host ? "host" : "domain", set.name,
                     base::format_time(set.noted), set.noted_from, to_string(set.basis), to_string(set.stage),
                     set.mode == pins::Mode::report ? ", MODE=REPORT" : "", base::format_time(set.expires()));
}

Requirement pin_requirement(Source source, const pins::PinSet& set, std::vector<std::string> names,
                            base::Time now) {
  return {source, set.enforced(now), set.live_pins(now), std::move(names),
          describe(set, now) + (set.enforced(now) ? "" : ": tested, not enforced")};
}

// pinning-protocol, "The right name": for a domain's set never merely whatever host unsigned DNS named.
std::vector<std::string> domain_names(const Facts& facts) {
  std::vector<std::string> names = {facts.domain};
  const auto& recorded = facts.domain_pins->hosts;
  names.insert(names.end(), recorded.begin(), recorded.end());
  if (facts.mx_secure) names.push_back(facts.host_name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

std::string_view to_string(Source source) {
  switch (source) {
    case Source::pkp_host:
      return "pkp-host";
    case Source::pkp_domain:
      return "pkp-domain";
    case Source::stsec:
      break;
  }
  return "stsec";
}

Decision decide(const Facts& facts) {
  Decision out;
  out.host = facts.host;
  if (facts.host_pins && !facts.host_pins->expired(facts.now)) {
    out.requirements.push_back(
        pin_requirement(Source::pkp_host, *facts.host_pins, {facts.host_name}, facts.now));
  }
  if (facts.domain_pins && !facts.domain_pins->expired(facts.now)) {
    out.requirements.push_back(
        pin_requirement(Source::pkp_domain, *facts.domain_pins, domain_names(facts), facts.now));
  }
  if (facts.stsec && facts.stsec->in_force(facts.now)) {
    out.requirements.push_back(
        {Source::stsec,
         true,
         {},
         {},
         fmt::format("{} said on {} that it always has TLS, until {}", facts.host,
                     base::format_time(facts.stsec->noted), base::format_time(facts.stsec->expires))});
  }
  out.tls_required = std::any_of(out.requirements.begin(), out.requirements.end(),
                                 [](const Requirement& r) { return r.enforced; });
  return out;
}

std::string Decision::key() const {
  std::string out = tls_required ? "tls" : "any";
  for (const Requirement& r : requirements) {
    out += fmt::format("|{}{}", to_string(r.source), r.enforced ? "!" : "?");
    for (const pins::Pin& p : r.pins) out += "," + p.str();
    for (const std::string& n : r.names) out += "@" + n;
  }
  return out;
}

std::string Decision::sentence() const {
  if (requirements.empty()) return "nothing is known that binds this host: TLS if it is offered";
  std::string out;
  for (const Requirement& r : requirements) out += (out.empty() ? "" : "; ") + r.sentence;
  return out;
}

Verdict judge(const Decision& decision, const std::vector<Finding>& findings, const Presented& p) {
  Verdict verdict;
  for (std::size_t i = 0; i < decision.requirements.size(); ++i) {
    const Requirement& r = decision.requirements[i];
    if (r.pins.empty() || findings.at(i).met) continue;
    const std::string what = fmt::format("{} at {} does not match {}: {}", decision.host, p.address,
                                         r.sentence, findings[i].reason);
    if (!r.enforced) {
      verdict.reports.push_back(what);
      continue;
    }
    if (!verdict.usable) continue;
    verdict.usable = false;
    verdict.status = "4.7.5";
    verdict.failure = "validation-failure";
    verdict.sentence = fmt::format(
        "{}. Presented: {} issued by {}, key {}; {}. Either the receiver changed its key without announcing "
        "it, or "
        "somebody sits in between: ask its postmaster by another way, then retry, or forget the pins of {}",
        what, p.subject, p.issuer, p.key,
        p.webpki_valid
            ? "a trusted CA vouches for it under this name, so it is a new certificate of the receiver or "
              "one that somebody else obtained"
            : "no trusted CA vouches for it under this name",
        r.source == Source::pkp_host ? "host " + decision.host : "the domain");
  }
  return verdict;
}

Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address) {
  Verdict verdict;
  if (!decision.tls_required) return verdict;
  verdict.usable = false;
  verdict.status = "4.7.5";
  verdict.failure = "starttls-not-supported";
  verdict.sentence = fmt::format(
      "{} at {}: {}, but TLS is a must: {}. Either its TLS broke, or somebody in between "
      "takes it away",
      decision.host, address, what, decision.sentence());
  return verdict;
}

}  // namespace pinnace::policy
