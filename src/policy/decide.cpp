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
  Requirement out;
  out.source = source;
  out.demand = Demand::pins;
  out.enforced = set.enforced(now);
  out.pins = set.live_pins(now);
  out.names = std::move(names);
  out.sentence = describe(set, now) + (out.enforced ? "" : ": tested, not enforced");
  return out;
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

// RFC 7672 2.2: what the TLSA lookup's end means for a connection.
void add_dane(const Facts& facts, Decision& out) {
  const dane::HostTlsa& found = facts.tlsa;
  Requirement r;
  r.source = Source::dane;
  switch (found.kind) {
    case dane::HostTlsa::Kind::not_applicable:
    case dane::HostTlsa::Kind::none:
      if (!found.detail.empty()) out.notes.push_back("dane: " + found.detail);
      return;
    case dane::HostTlsa::Kind::failure:
      // RFC 7672 2.1.2: never taken for "no records".
      r.demand = Demand::unmet;
      r.sentence = fmt::format("the TLSA records of {} cannot be had ({})", facts.host, found.detail);
      break;
    case dane::HostTlsa::Kind::records:
      r.tlsa = dane::usable(found.records);
      out.server_name = found.base;
      if (r.tlsa.empty()) {
        r.sentence = fmt::format("{} has {} TLSA records, none of them usable ({}): TLS, unauthenticated",
                                 found.base, found.records.size(), dane::why_unusable(found.records.front()));
        break;
      }
      r.demand = Demand::dane;
      // RFC 7672 3.2.2: the TLSA base domain, and the next-hop domain.
      r.names = {found.base};
      if (facts.domain != found.base) r.names.push_back(facts.domain);
      r.sentence = fmt::format("{} usable TLSA records of {} in DNSSEC", r.tlsa.size(), found.base);
  }
  out.requirements.push_back(std::move(r));
}

Requirement wished(Demand demand, std::string sentence) {
  Requirement r;
  r.source = Source::requiretls;
  r.demand = demand;
  r.sentence = "the sender demands REQUIRETLS (RFC 8689): " + std::move(sentence);
  return r;
}

// RFC 8689 4.2.1, steps 2, 4 and 5.
void add_requiretls(const Facts& facts, Decision& out) {
  if (facts.wish != Wish::require || facts.bounce) return;
  if (!facts.mx_secure && !facts.no_mx) {
    out.requirements.push_back(
        wished(Demand::unmet,
               fmt::format("nothing vouches that {} is a mail host of {}", facts.host, facts.domain)));
    return;
  }
  const bool by_dane = std::any_of(out.requirements.begin(), out.requirements.end(),
                                   [](const Requirement& r) { return r.demand == Demand::dane; });
  if (!by_dane) {
    Requirement r = wished(Demand::webpki, "a trusted CA must vouch for " + facts.host_name);
    r.names = {facts.host_name};
    out.requirements.push_back(std::move(r));
  }
  out.requirements.push_back(
      wished(Demand::offers_requiretls, facts.host + " must offer REQUIRETLS itself inside TLS"));
}

}  // namespace

std::string_view to_string(Source source) {
  switch (source) {
    case Source::dane:
      return "dane";
    case Source::pkp_host:
      return "pkp-host";
    case Source::pkp_domain:
      return "pkp-domain";
    case Source::stsec:
      return "stsec";
    case Source::requiretls:
      break;
  }
  return "requiretls";
}

Decision decide(const Facts& facts) {
  Decision out;
  out.host = facts.host;
  out.server_name = facts.host_name;
  out.mx_secure = facts.mx_secure;
  add_dane(facts, out);
  if (facts.host_pins && !facts.host_pins->expired(facts.now)) {
    out.requirements.push_back(
        pin_requirement(Source::pkp_host, *facts.host_pins, {facts.host_name}, facts.now));
  }
  if (facts.domain_pins && !facts.domain_pins->expired(facts.now)) {
    out.requirements.push_back(
        pin_requirement(Source::pkp_domain, *facts.domain_pins, domain_names(facts), facts.now));
  }
  if (facts.stsec && facts.stsec->in_force(facts.now)) {
    Requirement r;
    r.sentence = fmt::format("{} said on {} that it always has TLS, until {}", facts.host,
                             base::format_time(facts.stsec->noted), base::format_time(facts.stsec->expires));
    out.requirements.push_back(std::move(r));
  }
  if (facts.wish == Wish::waive) {
    // RFC 8689 3: all of the above is the recipient's policy, and the sender waives it.
    for (Requirement& r : out.requirements) {
      r.enforced = false;
      r.sentence += ": waived, the message says TLS-Required: No (RFC 8689 3)";
    }
  }
  add_requiretls(facts, out);
  out.tls_required = std::any_of(out.requirements.begin(), out.requirements.end(),
                                 [](const Requirement& r) { return r.enforced; });
  return out;
}

std::string Decision::key() const {
  std::string out = (tls_required ? "tls " : "any ") + server_name;
  for (const Requirement& r : requirements) {
    out += fmt::format("|{}{}{}", to_string(r.source), static_cast<int>(r.demand), r.enforced ? "!" : "?");
    for (const dane::Tlsa& t : r.tlsa) out += "," + t.str();
    for (const pins::Pin& p : r.pins) out += "," + p.str();
    for (const std::string& n : r.names) out += "@" + n;
  }
  return out;
}

std::string Decision::summary() const {
  std::string out;
  for (const Requirement& r : requirements) {
    out += fmt::format("{}{}{}", out.empty() ? "" : ", ", to_string(r.source), r.enforced ? "" : " (tested)");
  }
  return out.empty() ? "none" : out;
}

std::string Decision::sentence() const {
  if (requirements.empty()) return "nothing is known that binds this host: TLS if it is offered";
  std::string out;
  for (const Requirement& r : requirements) out += (out.empty() ? "" : "; ") + r.sentence;
  return out;
}

namespace {

// A requirement that only the sender made fails for good: it is to be told (RFC 8689 4.2.1). Whatever a
// receiver's policy forbids waits: a changed key and an interception may both pass.
void refuse(Verdict& verdict, const Requirement& r, std::string failure) {
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
  switch (r.demand) {
    case Demand::dane:
      return "Either the receiver changed its key without its TLSA records, or somebody sits in between: ask "
             "its "
             "postmaster by another way, then retry";
    case Demand::pins:
      return fmt::format(
          "Either the receiver changed its key without announcing it, or somebody sits in between: ask its "
          "postmaster by another way, then retry, or forget the pins of {}",
          r.source == Source::pkp_host ? "host " + decision.host : "the domain");
    default:
      return "The message can be sent again without REQUIRETLS, if its sender can do without";
  }
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
    const std::string what = fmt::format("{} at {} does not match {}: {}", decision.host, p.address,
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
    refuse(verdict, r, r.source == Source::dane ? "dnssec-invalid" : "");
    if (r.source == Source::dane) verdict.status = "4.4.3";
    if (verdict.sentence.empty()) verdict.sentence = decision.host + " must not be used: " + r.sentence;
  }
  return verdict;
}

Verdict judge_without_tls(const Decision& decision, const std::string& what, const std::string& address) {
  Verdict verdict;
  for (const Requirement& r : decision.requirements) {
    if (r.enforced) refuse(verdict, r, "starttls-not-supported");
  }
  if (verdict.usable) return verdict;
  if (verdict.permanent) verdict.status = "5.7.10";
  verdict.sentence = fmt::format(
      "{} at {}: {}, but TLS is a must: {}. Either its TLS broke, or somebody in between "
      "takes it away",
      decision.host, address, what, decision.sentence());
  return verdict;
}

}  // namespace pinnace::policy
