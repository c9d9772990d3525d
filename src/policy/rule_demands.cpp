// What the operator's rules add to a decision, and what they set aside.
#include <fmt/format.h>

#include "policy/decider.hpp"

namespace pinnace::policy {
namespace {

// What a rule's `ignore` covers. A rule for a host sets aside what binds the host, never what a domain says
// of its hosts: else whoever forges a domain's MX answer would name that host. Of an MTA-STS policy that is
// the certificate of a host that the policy lists.
bool covered(const Rule& rule, const Requirement& r, base::Time now) {
  const Waiver& waiver = rule.waiver;
  const bool of_domain = rule.subject == Rule::Subject::domain;
  switch (r.source) {
    case Source::dane:
      return waiver.covers(Waivable::dane, now);
    case Source::pkp_host:
      return waiver.covers(Waivable::pkp, now);
    case Source::pkp_domain:
      return of_domain && waiver.covers(Waivable::pkp, now);
    case Source::sts:
      return (of_domain || r.demand == Demand::webpki) && waiver.covers(Waivable::sts, now);
    case Source::sts_pins:
      return of_domain && (waiver.covers(Waivable::sts, now) || waiver.covers(Waivable::pkp, now));
    case Source::stsec:
      return waiver.covers(Waivable::stsec, now);
    case Source::rule:
    case Source::requiretls:
      break;
  }
  return false;
}

}  // namespace

void Decider::waive_by_rule(const Rule* rule) {
  if (!rule || rule->waiver.sources.empty()) return;
  if (!rule->waiver.in_force(facts_.now)) {
    note(fmt::format("rule: what {} ignored binds again: that was until {}", rule->str(),
                     base::format_time(rule->waiver.until)));
    return;
  }
  for (Requirement& r : out_.requirements) {
    if (!r.enforced || !covered(*rule, r, facts_.now)) continue;
    r.enforced = false;
    r.aside = "ignored by rule";
    r.sentence += fmt::format(": ignored until {} by {} ({})", base::format_time(rule->waiver.until),
                              rule->str(), rule->waiver.reason);
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

}  // namespace pinnace::policy
