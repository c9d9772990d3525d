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

// The first few, for people.
std::string some_of(const std::vector<names::MxPattern>& patterns) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, patterns.size()); ++i)
    out += (i ? " " : "") + patterns[i].str();
  return patterns.size() > kShown ? fmt::format("{} and {} more", out, patterns.size() - kShown) : out;
}

// Gathers one decision, a source after the other.
class Decider {
 public:
  explicit Decider(const Facts& facts) : facts_(facts) {
    out_.host = facts.host;
    out_.server_name = facts.host_name;
    out_.sts_failed = facts.sts_failed;
  }

  Decision decide() {
    add_dane();
    add_pins();
    add_sts();
    add_stsec();
    waive_by_rule(facts_.domain_rule.get());
    waive_by_rule(facts_.host_rule.get());
    waive_by_sender();
    settle_dane_and_sts();
    find_voucher();
    add_rule(facts_.domain_rule.get());
    add_rule(facts_.host_rule.get());
    add_requiretls();
    finish();
    return std::move(out_);
  }

 private:
  Requirement& add(Source source, Demand demand, std::string sentence) {
    Requirement r;
    r.source = source;
    r.demand = demand;
    r.sentence = std::move(sentence);
    out_.requirements.push_back(std::move(r));
    return out_.requirements.back();
  }
  void note(std::string what) { out_.notes.push_back(std::move(what)); }

  void add_dane();
  void add_pins();
  void add_pin_set(Source source, const std::optional<pins::PinSet>& set, std::vector<std::string> names);
  std::vector<std::string> domain_names() const;
  void add_sts();
  void add_stsec();
  void waive_by_rule(const Rule* rule);
  void waive_by_sender();
  void settle_dane_and_sts();
  void find_voucher();
  void add_rule(const Rule* rule);
  void add_level(const Rule& rule);
  void add_rule_pins(const Rule& rule);
  void add_requiretls();
  void finish();

  bool named() const { return facts_.mx_secure || facts_.no_mx; }
  bool sts_lists() const { return facts_.sts && facts_.sts->policy.lists(facts_.host_name); }
  bool enforced(Source source, Demand demand) const {
    return std::any_of(out_.requirements.begin(), out_.requirements.end(), [&](const Requirement& r) {
      return r.source == source && r.demand == demand && r.enforced;
    });
  }
  bool dane_authenticates() const { return enforced(Source::dane, Demand::dane); }

  const Facts& facts_;
  Decision out_;
};

// RFC 7672 2.2: what the TLSA lookup's end means for a connection.
void Decider::add_dane() {
  const dane::HostTlsa& found = facts_.tlsa;
  switch (found.kind) {
    case dane::HostTlsa::Kind::not_applicable:
    case dane::HostTlsa::Kind::none:
      note("dane: " + (found.detail.empty() ? "does not apply" : found.detail));
      return;
    case dane::HostTlsa::Kind::failure:
      // RFC 7672 2.1.2: never taken for "no records".
      add(Source::dane, Demand::unmet,
          fmt::format("the TLSA records of {} cannot be had ({})", facts_.host, found.detail));
      return;
    case dane::HostTlsa::Kind::records:
      break;
  }
  out_.server_name = found.base;
  std::vector<dane::Tlsa> usable = dane::usable(found.records);
  if (usable.empty()) {
    add(Source::dane, Demand::tls,
        fmt::format("{} has {} TLSA records, none of them usable ({}): TLS, unauthenticated", found.base,
                    found.records.size(), dane::why_unusable(found.records.front())));
    return;
  }
  Requirement& r = add(Source::dane, Demand::dane,
                       fmt::format("{} usable TLSA records of {} in DNSSEC", usable.size(), found.base));
  r.tlsa = std::move(usable);
  // RFC 7672 3.2.2: the TLSA base domain; where that was named securely the next-hop domain too, as given and
  // at the end of its aliases.
  r.names = {found.base};
  if (!named()) return;
  for (const std::string& name : {facts_.domain, facts_.canonical}) {
    if (!name.empty() && std::find(r.names.begin(), r.names.end(), name) == r.names.end())
      r.names.push_back(name);
  }
}

void Decider::add_pin_set(Source source, const std::optional<pins::PinSet>& set,
                          std::vector<std::string> names) {
  if (!set || set->expired(facts_.now)) {
    note(fmt::format("{}: {}", to_string(source), set ? "what was noted has expired" : "nothing is noted"));
    return;
  }
  Requirement& r = add(source, Demand::pins, describe(*set, facts_.now));
  r.enforced = set->enforced(facts_.now);
  if (!r.enforced) r.sentence += ": tested, not enforced";
  r.pins = set->live_pins(facts_.now);
  r.names = std::move(names);
}

void Decider::add_pins() {
  add_pin_set(Source::pkp_host, facts_.host_pins, {facts_.host_name});
  add_pin_set(Source::pkp_domain, facts_.domain_pins, domain_names());
}

// pinning-protocol 2, "The right name": for a domain's set never merely whatever host unsigned DNS named.
std::vector<std::string> Decider::domain_names() const {
  std::vector<std::string> names = {facts_.domain};
  if (facts_.domain_pins) {
    names.insert(names.end(), facts_.domain_pins->hosts.begin(), facts_.domain_pins->hosts.end());
  }
  const bool sts_vouches = sts_lists() && facts_.sts->policy.mode == sts::Mode::enforce;
  if (facts_.mx_secure || sts_vouches) names.push_back(facts_.host_name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

// RFC 8461 5
void Decider::add_sts() {
  if (facts_.sts_failed) {
    add(Source::sts, Demand::unmet,
        fmt::format("whether {} has an MTA-STS policy cannot be said ({})", facts_.domain,
                    facts_.sts_detail));
    return;
  }
  if (!facts_.sts || !facts_.sts->live(facts_.now) || facts_.sts->policy.mode == sts::Mode::none) {
    const bool given_up = facts_.sts && facts_.sts->live(facts_.now);
    note("sts: " + (given_up                    ? "the policy's mode is none (RFC 8461 5)"
                    : facts_.sts_detail.empty() ? "no policy"
                                                : facts_.sts_detail));
    return;
  }
  const sts::Cached& held = *facts_.sts;
  const std::string of =
      fmt::format("the MTA-STS policy of {} (mode {}, id {}, fetched {}, in force until {})", facts_.domain,
                  to_string(held.policy.mode), held.id, base::format_time(held.fetched),
                  base::format_time(held.expires()));
  const bool enforce = held.policy.mode == sts::Mode::enforce;
  if (!facts_.sts_detail.empty()) note("sts: " + facts_.sts_detail);
  if (!sts_lists()) {
    // RFC 8461 4.1
    add(Source::sts, Demand::unmet,
        fmt::format("{} does not list {} among its mx ({})", of, facts_.host_name, some_of(held.policy.mx)))
        .enforced = enforce;
  } else {
    // RFC 8461 4.2: the host's own name, not the pattern's.
    Requirement& r = add(Source::sts, Demand::webpki,
                         fmt::format("{}: a trusted CA must vouch for {}", of, facts_.host_name));
    r.names = {facts_.host_name};
    r.enforced = enforce;
  }
  if (!held.policy.pins.empty()) {
    // pinning-protocol 4
    Requirement& r =
        add(Source::sts_pins, Demand::pins, fmt::format("{} pins in {}", held.policy.pins.size(), of));
    r.pins = held.policy.pins;
    r.names = domain_names();
    r.enforced = enforce;
  }
  for (std::size_t i = out_.requirements.size(); !enforce && i > 0; --i) {
    Requirement& r = out_.requirements[i - 1];
    if (r.source == Source::sts || r.source == Source::sts_pins) r.sentence += ": tested, not enforced";
  }
}

void Decider::add_stsec() {
  if (!facts_.stsec || !facts_.stsec->in_force(facts_.now)) {
    note(fmt::format("stsec: {}", facts_.stsec ? "what was noted has expired" : "nothing is noted"));
    return;
  }
  add(Source::stsec, Demand::tls,
      fmt::format("{} said on {} that it always has TLS, until {}", facts_.host,
                  base::format_time(facts_.stsec->noted), base::format_time(facts_.stsec->expires)));
}

// What a rule's `ignore` may name covers of the sources.
bool covered(const Waiver& waiver, Source source, base::Time now) {
  switch (source) {
    case Source::dane:
      return waiver.covers(Waivable::dane, now);
    case Source::pkp_host:
    case Source::pkp_domain:
      return waiver.covers(Waivable::pkp, now);
    case Source::sts:
      return waiver.covers(Waivable::sts, now);
    case Source::sts_pins:
      return waiver.covers(Waivable::sts, now) || waiver.covers(Waivable::pkp, now);
    case Source::stsec:
      return waiver.covers(Waivable::stsec, now);
    case Source::rule:
    case Source::requiretls:
      break;
  }
  return false;
}

void Decider::waive_by_rule(const Rule* rule) {
  if (!rule || rule->waiver.sources.empty()) return;
  if (!rule->waiver.in_force(facts_.now)) {
    note(fmt::format("rule: what {} ignored binds again: that was until {}", rule->str(),
                     base::format_time(rule->waiver.until)));
    return;
  }
  for (Requirement& r : out_.requirements) {
    if (!r.enforced || !covered(rule->waiver, r.source, facts_.now)) continue;
    r.enforced = false;
    r.aside = "ignored by rule";
    r.sentence += fmt::format(": ignored until {} by {} ({})", base::format_time(rule->waiver.until),
                              rule->str(), rule->waiver.reason);
  }
}

void Decider::waive_by_sender() {
  if (facts_.wish != Wish::waive) return;
  // RFC 8689 3: all of the above is the recipient's policy, and the sender waives it.
  for (Requirement& r : out_.requirements) {
    if (!r.enforced) continue;
    r.enforced = false;
    r.aside = "waived by sender";
    r.sentence += ": waived, the message says TLS-Required: No (RFC 8689 3)";
  }
}

// RFC 8461 2: MTA-STS never saves a failed DANE. Where DANE authenticates a host that is securely named it
// decides alone; a host that an unsigned answer named may be anybody's, with TLSA records of his own.
void Decider::settle_dane_and_sts() {
  if (!dane_authenticates() || !named()) return;
  for (Requirement& r : out_.requirements) {
    if (r.source != Source::sts || !r.enforced) continue;
    r.enforced = false;
    r.sentence += ": tested only, DANE decides (RFC 8461 2)";
  }
}

void Decider::find_voucher() {
  if (named()) {
    out_.mx = facts_.mx_secure ? MxVouched::dnssec : MxVouched::itself;
  } else if (enforced(Source::sts, Demand::webpki)) {
    out_.mx = MxVouched::sts;
  } else if (facts_.domain_rule && facts_.domain_rule->lists(facts_.host_name)) {
    // A rule for the host says nothing of whose host it is.
    out_.mx = MxVouched::rule;
  }
}

void Decider::add_rule(const Rule* rule) {
  if (!rule) return;
  if (!rule->mx.empty() && !rule->lists(facts_.host_name)) {
    add(Source::rule, Demand::unmet,
        fmt::format("{} does not list {} among its mx ({})", rule->str(), facts_.host_name,
                    some_of(rule->mx)));
  }
  if (rule->level) add_level(*rule);
  if (!rule->pins.empty()) add_rule_pins(*rule);
  if (rule->min_protocol) {
    add(Source::rule, Demand::protocol,
        fmt::format("{} demands at least {}", rule->str(), to_string(*rule->min_protocol)))
        .protocol = *rule->min_protocol;
  }
}

void Decider::add_rule_pins(const Rule& rule) {
  Requirement& r =
      add(Source::rule, Demand::pins, fmt::format("{} pins {} keys", rule.str(), rule.pins.size()));
  r.pins = rule.pins;
  if (rule.subject == Rule::Subject::domain) r.names.push_back(facts_.domain);
  // pinning-protocol 2: a host that the rule names, or that something else vouches for.
  const bool host_counts = rule.subject == Rule::Subject::host || out_.mx != MxVouched::no;
  if (host_counts && facts_.host_name != facts_.domain) r.names.push_back(facts_.host_name);
}

// A rule's `tls`. For a domain, a level that asks who is there asks too that the host is the domain's: a host
// that an unsigned answer named proves nothing by a certificate for its own name.
void Decider::add_level(const Rule& rule) {
  const std::string demands = fmt::format("{} demands tls = {}", rule.str(), to_string(*rule.level));
  const bool of_host = rule.subject == Rule::Subject::host;
  const bool vouched = of_host || out_.mx != MxVouched::no;
  const auto webpki = [&] {
    Requirement& r = add(Source::rule, Demand::webpki, "");
    if (!of_host) r.names.push_back(facts_.domain);
    if (vouched && (of_host || facts_.host_name != facts_.domain)) r.names.push_back(facts_.host_name);
    r.sentence =
        fmt::format("{}: a trusted CA must vouch for {}{}", demands, fmt::join(r.names, " or "),
                    vouched ? ""
                            : fmt::format(" (nothing vouches that {} is its mail host: list it as mx "
                                          "in the rule)",
                                          facts_.host_name));
  };
  switch (*rule.level) {
    case Level::none:
    case Level::may:
      return;
    case Level::encrypt:
      add(Source::rule, Demand::tls, demands);
      return;
    case Level::authenticated:
      if (vouched && dane_authenticates()) {
        add(Source::rule, Demand::tls, demands + ": DANE sees to it");
      } else if (!rule.pins.empty()) {
        add(Source::rule, Demand::tls, demands + ": its pins see to it");
      } else {
        webpki();
      }
      return;
    case Level::dane:
      if (vouched && dane_authenticates()) {
        add(Source::rule, Demand::tls, demands + ": the TLSA records see to it");
      } else {
        add(Source::rule, Demand::unmet,
            fmt::format(
                "{}, and {}", demands,
                dane_authenticates()
                    ? fmt::format("nothing vouches that {} is a mail host of {}: list it as mx in the rule",
                                  facts_.host, facts_.domain)
                    : facts_.host + " has no TLSA records that bind"));
      }
      return;
    case Level::webpki:
      webpki();
  }
}

// RFC 8689 4.2.1, steps 2, 4 and 5.
void Decider::add_requiretls() {
  if (facts_.wish != Wish::require || facts_.bounce) return;
  const std::string demands = "the sender demands REQUIRETLS (RFC 8689): ";
  // Step 2 asks for a policy that lists the host; one that is only tested lists it as well.
  const bool waived = std::any_of(out_.requirements.begin(), out_.requirements.end(), [&](const auto& r) {
    return r.source == Source::sts && !r.enforced && facts_.sts &&
           facts_.sts->policy.mode == sts::Mode::enforce;
  });
  const bool listed =
      sts_lists() && facts_.sts->live(facts_.now) && facts_.sts->policy.mode != sts::Mode::none && !waived;
  if (!named() && !listed && facts_.sts_unsure) {
    // docs/decisions/0004: a lookup that failed puts the message off; only an answer refuses it for good.
    out_.sts_failed = true;
    add(Source::sts, Demand::unmet,
        fmt::format("{}whether a policy of {} lists {} cannot be said now ({})", demands, facts_.domain,
                    facts_.host, facts_.sts_detail));
    return;
  }
  if (!named() && !listed) {
    add(Source::requiretls, Demand::unmet,
        fmt::format("{}nothing vouches that {} is a mail host of {}", demands, facts_.host, facts_.domain));
    return;
  }
  if (!dane_authenticates()) {
    add(Source::requiretls, Demand::webpki, demands + "a trusted CA must vouch for " + facts_.host_name)
        .names = {facts_.host_name};
  }
  add(Source::requiretls, Demand::offers_requiretls,
      demands + facts_.host + " must offer REQUIRETLS itself inside TLS");
}

void Decider::finish() {
  out_.tls_required = std::any_of(out_.requirements.begin(), out_.requirements.end(),
                                  [](const Requirement& r) { return r.enforced; });
  for (const Rule* rule : {facts_.domain_rule.get(), facts_.host_rule.get()}) {
    if (!rule || rule->level != Level::none) continue;
    if (out_.tls_required) {
      note(fmt::format("rule: {} says tls = none, which takes away nothing that is demanded", rule->str()));
    } else {
      out_.tls_never = true;
      note(fmt::format("rule: {} says tls = none: STARTTLS is not used", rule->str()));
    }
  }
  out_.key = (out_.tls_required ? "tls " : out_.tls_never ? "plain " : "any ") + out_.server_name;
  // What a session teaches of the domain hangs on who vouched for its host.
  out_.key += fmt::format("|mx {}", to_string(out_.mx));
  for (const Requirement& r : out_.requirements) {
    out_.key +=
        fmt::format("|{}{}{}", to_string(r.source), static_cast<int>(r.demand), r.enforced ? "!" : "?");
    if (r.demand == Demand::protocol) out_.key += to_string(r.protocol);
    for (const dane::Tlsa& t : r.tlsa) out_.key += "," + t.str();
    for (const pins::Pin& p : r.pins) out_.key += "," + p.str();
    for (const std::string& n : r.names) out_.key += "@" + n;
  }
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
    case Source::sts:
      return "sts";
    case Source::sts_pins:
      return "sts-pins";
    case Source::stsec:
      return "stsec";
    case Source::rule:
      return "rule";
    case Source::requiretls:
      break;
  }
  return "requiretls";
}

std::string_view to_string(Demand demand) {
  switch (demand) {
    case Demand::tls:
      return "tls";
    case Demand::pins:
      return "pins";
    case Demand::dane:
      return "dane";
    case Demand::webpki:
      return "webpki";
    case Demand::protocol:
      return "protocol";
    case Demand::offers_requiretls:
      return "offers-requiretls";
    case Demand::unmet:
      break;
  }
  return "cannot-be-met";
}

std::string_view to_string(MxVouched by) {
  switch (by) {
    case MxVouched::no:
      return "insecure";
    case MxVouched::dnssec:
      return "secure";
    case MxVouched::itself:
      return "itself";
    case MxVouched::sts:
      return "sts";
    case MxVouched::rule:
      break;
  }
  return "rule";
}

Decision decide(const Facts& facts) { return Decider(facts).decide(); }

std::string Decision::summary() const {
  std::string out;
  for (const Requirement& r : requirements) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", to_string(r.source));
    if (!r.enforced) out += fmt::format(" ({})", r.aside);
  }
  return out.empty() ? "none" : out;
}

std::string Decision::sentence() const {
  if (requirements.empty()) {
    return tls_never ? "a rule says tls = none: no TLS"
                     : "nothing is known that binds this host: TLS if it is offered";
  }
  std::string out;
  for (const Requirement& r : requirements) out += (out.empty() ? "" : "; ") + r.sentence;
  return out;
}

std::vector<std::string> explained(const Decision& d) {
  const bool forbidden = std::any_of(d.requirements.begin(), d.requirements.end(), [](const Requirement& r) {
    return r.enforced && r.demand == Demand::unmet;
  });
  std::vector<std::string> out;
  out.push_back(fmt::format("{}: {}; named as a mail host of the domain: {}", d.host,
                            forbidden        ? "must not be used"
                            : d.tls_required ? "TLS is a must"
                            : d.tls_never    ? "no TLS"
                                             : "TLS if it is offered",
                            to_string(d.mx)));
  for (const Requirement& r : d.requirements) {
    out.push_back(fmt::format("{} {} ({}): {}", r.enforced ? "must" : "test", to_string(r.source),
                              to_string(r.demand), r.sentence));
  }
  for (const std::string& n : d.notes) out.push_back("note " + n);
  return out;
}

}  // namespace pinnace::policy
