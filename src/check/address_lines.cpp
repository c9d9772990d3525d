// What one address of a mail host showed.
#include <fmt/format.h>

#include <algorithm>

#include "check/report.hpp"

namespace pinnace::check {
namespace {

constexpr base::Seconds kSoon = std::chrono::days(14);

std::string day(base::Time time) { return base::format_time(time).substr(0, 10); }

// The lines of one address, an item after the other.
class AddressLines {
 public:
  AddressLines(const DomainFacts& facts, const HostFacts& host, const delivery::Probed& probed)
      : facts_(facts), host_(host), p_(probed) {}

  std::vector<Line> lines() {
    add_connection();
    add_tls();
    add_before_tls();
    if (p_.no_tls.empty() && !p_.version.empty()) {
      add_certificate();
      add_dane();
    } else {
      add_dane_unseen();
    }
    add_sts();
    if (p_.no_tls.empty() && !p_.version.empty()) {
      add_pins();
      add_stsec();
      add_requiretls();
    }
    add_rules();
    add_rest();
    return std::move(out_);
  }

 private:
  void add(Item item, Verdict verdict, std::string text, std::string remedy = {}) {
    out_.push_back({item, verdict, std::move(text), std::move(remedy)});
  }
  void add_connection();
  void add_tls();
  void add_before_tls();
  void add_certificate();
  void add_dane();
  void add_dane_unseen();
  void add_no_match();
  void add_sts();
  void add_sts_pins();
  void add_pins();
  void add_stsec();
  void add_requiretls();
  void add_rules();
  void add_rest();

  bool in_tls() const { return !p_.version.empty(); }
  bool dane_matched() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.matches; });
  }
  bool dane_applies() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.unusable.empty(); });
  }
  bool by_ca_record() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(),
                       [](const auto& t) { return t.matches && t.record.usage == dane::kDaneTa; });
  }
  const sts::Policy* sts() const {
    const auto& cached = facts_.sts.policy;
    return cached && cached->policy.mode != sts::Mode::none ? &cached->policy : nullptr;
  }
  // RFC 7671 5.1: where DANE-EE alone counts, names and dates do not.
  bool key_alone_counts() const { return dane_matched() && !by_ca_record() && !sts(); }
  // A failed requirement holds mail up only where it is enforced.
  static Verdict weight(const policy::Requirement& r) {
    return r.enforced ? Verdict::would_defer : Verdict::warning;
  }
  // The requirement's finding is missing where there was no TLS.
  bool met(std::size_t i) const { return i >= p_.findings.size() || p_.findings[i].met; }
  std::string tlsa_to_publish() const {
    return fmt::format("_{}._tcp.{}. TLSA 3 1 1 {}", facts_.port,
                       host_.tlsa.base.empty() ? host_.host : host_.tlsa.base, p_.leaf.key_sha256);
  }

  std::string names_of_leaf() const;

  const DomainFacts& facts_;
  const HostFacts& host_;
  const delivery::Probed& p_;
  std::vector<Line> out_;
};

void AddressLines::add_connection() {
  // Where TLS broke it, the line on TLS says how.
  if (p_.unreachable.empty() || p_.tls_broken) return;
  add(Item::connection, Verdict::would_defer, p_.unreachable,
      p_.refused
          ? fmt::format("The log of {} says why it refuses; a sender that it does not know is to be heard",
                        host_.host)
          : fmt::format("'nc {} {}' must show its greeting: look whether the server runs, at the "
                        "firewall, and whether port {} is open for this machine",
                        p_.address.str(), facts_.port, facts_.port));
}

void AddressLines::add_tls() {
  if (in_tls() && p_.no_tls.empty()) return add(Item::tls, Verdict::good, p_.version + ", " + p_.cipher);
  if (p_.no_tls.empty()) return;
  const bool held = !p_.verdict.usable || !p_.unreachable.empty();
  const std::string openssl =
      fmt::format("openssl s_client -starttls smtp -connect {}:{}",
                  p_.address.is_v4() ? p_.address.str() : "[" + p_.address.str() + "]", facts_.port);
  add(Item::tls, held ? Verdict::would_defer : Verdict::warning,
      p_.no_tls + (!p_.verdict.usable ? ", and TLS is a must: " + host_.decision.summary()
                   : held             ? ""
                                      : ": mail goes there in the clear"),
      p_.tls_broken
          ? fmt::format("'{}' shows it: certificate and key must belong together, and TLS 1.2 or "
                        "later be allowed. If its own side is well, somebody in between spoils it",
                        openssl)
          : fmt::format("Turn STARTTLS on at {}, or put 'pinnace gate' before it. If it is on, somebody "
                        "in between takes it away",
                        host_.host));
}

void AddressLines::add_before_tls() {
  if (p_.before_tls.empty()) return;
  // pinning-protocol 1
  add(Item::pkp, Verdict::warning,
      fmt::format("{} is said before TLS, where nobody may heed it", fmt::join(p_.before_tls, " and ")),
      "Advertise it inside TLS only. If the server does, somebody in between plants it");
}

// Some certificates have a hundred names.
std::string AddressLines::names_of_leaf() const {
  constexpr std::size_t kShown = 3;
  const std::vector<std::string>& all = p_.leaf.dns_names;
  if (all.empty()) return "no name";
  std::vector<std::string> shown(all.begin(),
                                 all.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, all.size())));
  if (p_.leaf.names_host) shown = {host_.host};
  const std::size_t more = all.size() - shown.size();
  return fmt::format("{}{}", fmt::join(shown, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

void AddressLines::add_certificate() {
  const delivery::LeafSeen& leaf = p_.leaf;
  const auto left = std::chrono::floor<std::chrono::days>(leaf.not_after - facts_.now).count();
  const bool over = leaf.not_after <= facts_.now;
  const std::string names = names_of_leaf();
  const std::string issued = fmt::format("of {}", leaf.issuer);
  if (leaf.webpki_problem.empty()) {
    const std::string text =
        fmt::format("{}, {}, until {} ({} days)", names, issued, day(leaf.not_after), left);
    if (leaf.not_after - facts_.now >= kSoon || key_alone_counts())
      return add(Item::certificate, Verdict::good, text);
    return add(Item::certificate, Verdict::warning, text + ": it ends soon",
               "Renew it, under the same key or one that is announced before (TLSA, pins)");
  }
  const bool self_signed = leaf.subject == leaf.issuer;
  std::string text, remedy;
  if (over) {
    text = fmt::format("it ended on {}", day(leaf.not_after));
    remedy = "renew it";
  } else if (self_signed) {
    text =
        fmt::format("self-signed: no trusted CA vouches for it ({}, until {})", names, day(leaf.not_after));
    remedy = fmt::format("get one of a trusted CA for {}", host_.host);
  } else if (!leaf.names_host) {
    text = fmt::format("it does not name {} but {}", host_.host, names);
    remedy = fmt::format("get one with {} among its dNSNames", host_.host);
  } else {
    text = fmt::format("no trusted CA vouches for it: {} ({}, {})", leaf.webpki_problem, names, issued);
    remedy = "send the CA's intermediate certificates behind the leaf, or get one of a trusted CA";
  }
  if (dane_applies()) {
    // RFC 7672 3.1: neither a CA that is trusted nor, under usage 3, name and dates are looked at.
    return add(Item::certificate, Verdict::note, text + "; DANE decides",
               "Nothing, for senders that know DANE. For the others: " + remedy);
  }
  remedy[0] = static_cast<char>(remedy[0] - 32);  // it begins the sentence
  add(Item::certificate, Verdict::warning, text, remedy);
}

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

// pinning-protocol 3
void AddressLines::add_pins() {
  if (!p_.pins) {
    return add(Item::pkp, Verdict::note, p_.stsec ? "none advertised" : "none advertised, nor STSEC",
               "Put 'pinnace gate' before it, or advertise what 'pinnace pins advert' prints");
  }
  const delivery::PinsSeen& seen = *p_.pins;
  if (!seen.advert) {
    return add(Item::pkp, Verdict::warning,
               fmt::format("the advert is not valid: {}", fmt::join(seen.problems, "; ")),
               "Correct it: 'pinnace lint pkp' checks the lines, 'pinnace pins advert' prints good ones");
  }
  if (seen.advert->withdraws())
    return add(Item::pkp, Verdict::note, "MAX-AGE=0: it takes its pins back", "Nothing, if that is meant");
  base::Seconds shortest = base::Seconds::max();
  for (const auto& pin : seen.advert->pins) shortest = std::min(shortest, seen.advert->lifetime(pin));
  const std::string text = fmt::format(
      "{} pin{} for {}, of this {}", seen.advert->pins.size(), seen.advert->pins.size() == 1 ? "" : "s",
      base::format_duration(shortest), seen.advert->scope == pins::Scope::host ? "host" : "domain");
  if (!seen.not_noted.empty()) {
    return add(
        Item::pkp, Verdict::warning, fmt::format("{}: a sender does not note them: {}", text, seen.not_noted),
        "Advertise the pin of the live key and that of a backup key: 'pinnace pins advert' prints the lines");
  }
  if (seen.advert->mode == pins::Mode::report) {
    return add(Item::pkp, Verdict::note, text + ", MODE=REPORT: tested and reported, not enforced",
               "When no reports come, advertise MODE=ENFORCE");
  }
  if (!seen.authenticated) {
    return add(Item::pkp, Verdict::note,
               text + "; a sender enforces them only after several sessions over a day",
               "A certificate of a trusted CA or TLSA records have them enforced from the first session on");
  }
  add(Item::pkp, Verdict::good, text + "; a sender notes and enforces them");
}

void AddressLines::add_stsec() {
  if (!p_.stsec) return;  // the line on pins says so; of pins alone a sender learns as much
  if (!p_.stsec->stsec) {
    return add(Item::stsec, Verdict::warning, "not valid: " + p_.stsec->problem,
               "Advertise one line: STSEC MAX-AGE=31536000");
  }
  const base::Seconds age = p_.stsec->stsec->max_age;
  if (age == base::Seconds(0))
    return add(Item::stsec, Verdict::note, "MAX-AGE=0: it takes its promise back",
               "Nothing, if that is meant");
  add(Item::stsec, Verdict::good, "TLS always, for " + base::format_duration(age));
}

// RFC 8689 4.3
void AddressLines::add_requiretls() {
  if (p_.offers_requiretls) return add(Item::requiretls, Verdict::good, "offered");
  add(Item::requiretls, Verdict::note, "not offered",
      "Offer it (RFC 8689) if the server keeps TLS on the way further");
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

}  // namespace

std::vector<Line> address_lines(const DomainFacts& facts, const HostFacts& host,
                                const delivery::Probed& probed) {
  return AddressLines(facts, host, probed).lines();
}

}  // namespace pinnace::check
