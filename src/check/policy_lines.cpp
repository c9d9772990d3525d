// What DANE, MTA-STS and the operator's rules make of one address.
#include "check/address_lines.hpp"

namespace pinnace::check {

// RFC 7672 2.2: what can be said of DANE without a certificate.
void AddressLines::add_dane_unseen() {
  if (host_.tlsa.kind == dane::HostTlsa::Kind::failure) add_dane();
}

void AddressLines::add_no_match() {
  const auto usable =
      std::count_if(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.unusable.empty(); });
  Verdict verdict = Verdict::warning;
  std::string reason;
  for (std::size_t i = 0; i < host_.decision.requirements.size(); ++i) {
    const policy::Requirement& r = host_.decision.requirements[i];
    if (r.demand != policy::Demand::dane || met(i)) continue;
    verdict = weight(r);
    reason = p_.findings[i].reason;
  }
  add(Item::dane, verdict,
      fmt::format("{} usable TLSA record{} of {}, and no match: {}", usable, usable == 1 ? "" : "s",
                  host_.tlsa.base, reason),
      "If this is its key, publish " + tlsa_to_publish() +
          " and wait for the old record's TTL before another key is used. If not, somebody sits in between");
}

void AddressLines::add_dane() {
  using Kind = dane::HostTlsa::Kind;
  const dane::HostTlsa& tlsa = host_.tlsa;
  if (tlsa.kind == Kind::none || tlsa.kind == Kind::not_applicable) {
    const bool can = host_.addresses.security == dns::Security::secure;
    return add(
        Item::dane, Verdict::note, can ? "no TLSA records" : "its address is not signed (DNSSEC): no DANE",
        (can ? "Publish " : fmt::format("Sign the zone of {} with DNSSEC, then publish ", host_.host)) +
            tlsa_to_publish());
  }
  if (tlsa.kind == Kind::failure) {
    Verdict verdict = Verdict::warning;
    for (const policy::Requirement& r : host_.decision.requirements) {
      if (r.source == policy::Source::dane && r.demand == policy::Demand::unmet) verdict = weight(r);
    }
    const std::string owner = dane::owner(tlsa.base.empty() ? host_.host : tlsa.base, facts_.port);
    return add(
        Item::dane, verdict, "its TLSA records cannot be had: " + tlsa.detail,
        fmt::format("'delv {} TLSA' must end in an answer or in a proof that there is none: look at that "
                    "zone's signatures and servers",
                    owner));
  }
  std::vector<std::string> unusable;
  for (const auto& t : p_.tlsa) {
    if (!t.unusable.empty() && t.unusable.find("stronger") == std::string::npos)
      unusable.push_back(fmt::format("{} ({})", t.record.str().substr(0, 14), t.unusable));
  }
  const bool none =
      std::all_of(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return !t.unusable.empty(); });
  if (none) {
    return add(Item::dane, Verdict::warning,
               fmt::format("no TLSA record is usable, so TLS is a must and nobody is authenticated: {}",
                           fmt::join(unusable, "; ")),
               "Publish " + tlsa_to_publish() + " in their place");
  }
  const auto match = std::find_if(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.matches; });
  if (match == p_.tlsa.end()) {
    add_no_match();
  } else {
    add(Item::dane, Verdict::good,
        fmt::format("{}… of {} matches{}", match->record.str().substr(0, 22), tlsa.base,
                    p_.tlsa.size() > 1 ? fmt::format(" ({} records)", p_.tlsa.size()) : ""));
  }
  if (!unusable.empty()) {
    add(Item::dane, Verdict::note, fmt::format("unusable besides: {}", fmt::join(unusable, "; ")),
        "Take these records away: they do nothing");
  }
}

// RFC 8461 4
void AddressLines::add_sts() {
  if (!sts()) return;
  const bool listed = sts()->lists(host_.host);
  const bool seen = in_tls();
  for (const policy::Requirement& r : host_.decision.requirements) {
    if (r.source != policy::Source::sts) continue;
    const bool dane_decides = sts()->mode == sts::Mode::enforce && dane_applies();
    const std::string tested = r.enforced ? "" : dane_decides ? " (DANE decides)" : " (tested, not enforced)";
    if (!listed) {
      add(Item::sts, weight(r), fmt::format("the policy does not list {}{}", host_.host, tested),
          fmt::format(
              "Add 'mx: {}' to the policy and change the id of the TXT record, or take the host out of the "
              "MX records",
              host_.host));
    } else if (seen && !p_.leaf.webpki_problem.empty()) {
      add(Item::sts, weight(r),
          fmt::format("the policy lists it, and no trusted CA vouches for {}: {}{}", host_.host,
                      p_.leaf.webpki_problem, tested),
          fmt::format("Get a certificate of a trusted CA with {} among its dNSNames", host_.host));
    } else if (seen) {
      add(Item::sts, Verdict::good, "the policy lists it, and its certificate names it");
    }
  }
  add_sts_pins();
}

void AddressLines::add_sts_pins() {
  for (std::size_t i = 0; i < host_.decision.requirements.size(); ++i) {
    const policy::Requirement& r = host_.decision.requirements[i];
    if (r.source != policy::Source::sts_pins || met(i)) continue;
    add(Item::sts, weight(r), "the pins in the policy do not match: " + p_.findings[i].reason,
        "Put the pin of the host's key into the policy (pin-sha256) and change the id of the TXT record");
  }
}

void AddressLines::add_rules() {
  for (std::size_t i = 0; i < host_.decision.requirements.size(); ++i) {
    const policy::Requirement& r = host_.decision.requirements[i];
    const bool failed = r.demand == policy::Demand::unmet || !met(i);
    if (r.source != policy::Source::rule || !failed) continue;
    add(Item::policy, weight(r),
        r.sentence +
            (i < p_.findings.size() && r.demand != policy::Demand::unmet ? ": " + p_.findings[i].reason : ""),
        fmt::format("It is a rule of this relay's own: 'pinnace rule test {} {}' shows it", facts_.domain,
                    host_.host));
  }
}

// Whatever refuses the host stands in a line.
void AddressLines::add_rest() {
  const bool told =
      std::any_of(out_.begin(), out_.end(), [](const Line& l) { return l.verdict > Verdict::warning; });
  if (p_.usable || told) return;
  add(Item::policy, Verdict::would_defer, p_.verdict.sentence,
      fmt::format("'pinnace explain {}' shows which policy asks for it", facts_.domain));
}

}  // namespace pinnace::check
