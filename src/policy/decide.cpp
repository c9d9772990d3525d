#include "policy/decide.hpp"

#include <fmt/format.h>

#include "policy/decider.hpp"

namespace pinnace::policy {
namespace {

std::string describe(const pins::PinSet& set, base::Time now) {
  return fmt::format("{} pins of {} {}, noted {} from {} ({}, {}{}), in force until {}",
                     set.live_pins(now).size(), set.scope == pins::Scope::host ? "host" : "domain", set.name,
                     base::format_time(set.noted), set.noted_from, to_string(set.basis), to_string(set.stage),
                     set.mode == pins::Mode::report ? ", MODE=REPORT" : "", base::format_time(set.expires()));
}

}  // namespace

// The first few, for people.
std::string some_of(const std::vector<names::MxPattern>& patterns) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, patterns.size()); ++i)
    out += (i ? " " : "") + patterns[i].str();
  return patterns.size() > kShown ? fmt::format("{} and {} more", out, patterns.size() - kShown) : out;
}

// docs/decisions/0007: what never leaves the machine nobody can intercept on its way.
Decision Decider::decide_local() {
  note("a socket of this machine: no policy applies, and TLS is not used");
  out_.mx = MxVouched::route;
  out_.tls_never = true;
  finish();
  return std::move(out_);
}

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
  // A host of the operator's is not the domain's.
  if (!named() || routed()) return;
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
  if (routed()) return note("pkp-domain: what a domain says of its hosts does not bind a route");
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
  if (!sts_in_force() || facts_.sts->policy.mode == sts::Mode::none) {
    note("sts: " + (sts_in_force()              ? "the policy's mode is none (RFC 8461 5)"
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
  if (routed()) {
    out_.mx = MxVouched::route;
  } else if (named()) {
    out_.mx = facts_.mx_secure ? MxVouched::dnssec : MxVouched::itself;
  } else if (enforced(Source::sts, Demand::webpki)) {
    out_.mx = MxVouched::sts;
  } else if (facts_.domain_rule && facts_.domain_rule->lists(facts_.host_name)) {
    // A rule for the host says nothing of whose host it is.
    out_.mx = MxVouched::rule;
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
  const bool listed = sts_lists() && facts_.sts->policy.mode != sts::Mode::none && !waived;
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

// That of the rule for the domain, whose partner it is meant for, before that of the rule for the host.
void Decider::choose_client_certificate() {
  for (const Rule* rule : {facts_.domain_rule.get(), facts_.host_rule.get()}) {
    if (!rule || !rule->client_certificate || out_.client_certificate) continue;
    out_.client_certificate = rule->client_certificate;
    note(fmt::format("client certificate: {} is shown where the host asks for one, by {}",
                     rule->client_certificate->name, rule->str()));
  }
}

void Decider::finish() {
  out_.tls_required = std::any_of(out_.requirements.begin(), out_.requirements.end(),
                                  [](const Requirement& r) { return r.enforced; });
  for (const Rule* rule : {facts_.domain_rule.get(), facts_.host_rule.get()}) {
    if (rule && !rule->mx.empty()) out_.mx_ruled = true;
    if (rule && rule->level == Level::may && !out_.tls_required) out_.tls_may = true;
    if (!rule || rule->level != Level::none) continue;
    if (out_.tls_required) {
      note(fmt::format("rule: {} says tls = none, which takes away nothing that is demanded", rule->str()));
    } else {
      out_.tls_never = true;
      note(fmt::format("rule: {} says tls = none: STARTTLS is not used", rule->str()));
    }
  }
  choose_client_certificate();
  out_.key = (out_.tls_required ? "tls " : out_.tls_never ? "plain " : "any ") + out_.server_name;
  // What a session teaches of the domain hangs on who vouched for its host.
  out_.key += fmt::format("|mx {}", to_string(out_.mx));
  // What a host lets a client do may hang on who it is.
  if (out_.client_certificate) out_.key += "|client " + out_.client_certificate->fingerprint;
  if (routed()) out_.key += "|" + facts_.route;
  for (const Requirement& r : out_.requirements) {
    out_.key +=
        fmt::format("|{}{}{}", to_string(r.source), static_cast<int>(r.demand), r.enforced ? "!" : "?");
    if (r.demand == Demand::protocol) out_.key += to_string(r.protocol);
    for (const dane::Tlsa& t : r.tlsa) out_.key += "," + t.str();
    for (const pins::Pin& p : r.pins) out_.key += "," + p.str();
    for (const std::string& n : r.names) out_.key += "@" + n;
  }
}

Decision decide(const Facts& facts) { return Decider(facts).decide(); }

}  // namespace pinnace::policy
