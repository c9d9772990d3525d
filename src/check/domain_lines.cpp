// What a domain declares in the DNS and over HTTPS: MX, MTA-STS, TLSRPT.
#include <fmt/format.h>

#include <algorithm>

#include "check/report.hpp"
#include "sts/served.hpp"

namespace pinnace::check {
namespace {

Line mx_line(const DomainFacts& facts) {
  using Kind = dns::MailHosts::Kind;
  const dns::MailHosts& mx = facts.mx;
  const std::string hosts = fmt::format("{}", fmt::join(mx.hosts, ", "));
  switch (mx.kind) {
    case Kind::null_mx:
      return {Item::mx, Verdict::note, "the null MX: the domain takes no mail (RFC 7505)",
              "Nothing, if that is meant; else publish MX records that name its mail hosts"};
    case Kind::no_domain:
      return {Item::mx, Verdict::would_bounce, mx.detail,
              "Look at the spelling; if the domain is yours, at its registration and its delegation"};
    case Kind::failure:
      return {Item::mx, Verdict::would_defer, mx.detail,
              mx.security == dns::Security::bogus
                  ? fmt::format("Its DNSSEC is broken, or somebody forges the answer: 'delv {} MX' names the "
                                "record; sign the zone again, or correct the DS record at the parent",
                                facts.domain)
                  : fmt::format("Ask each name server of {} for the MX records: one of them does not answer "
                                "as it should",
                                facts.domain)};
    case Kind::hosts:
      break;
  }
  if (mx.implicit) {
    return {Item::mx, Verdict::note, "none: mail goes to the domain's own address (RFC 5321 5.1)",
            fmt::format("Publish an MX record that names the host, or the null MX if {} takes no mail",
                        facts.domain)};
  }
  if (mx.security == dns::Security::secure) return {Item::mx, Verdict::good, hosts + "; signed", {}};
  return {
      Item::mx, Verdict::note, hosts + "; not signed",
      fmt::format("Sign {} with DNSSEC: else who forges DNS can name a mail host of his own", facts.domain)};
}

std::string fetch_remedy(const DomainFacts& facts) {
  const std::string host = "mta-sts." + facts.domain;
  if (facts.sts.problem == sts::kWebpkiInvalid)
    return fmt::format("Give {} a certificate of a trusted CA that names it, with the CA's own behind it",
                       host);
  if (facts.sts.problem == sts::kInvalid)
    return "Correct the policy: 'pinnace lint sts-policy FILE' says where, and RFC 8461 3.2 how it is served";
  return fmt::format(
      "See that https://{}/.well-known/mta-sts.txt answers with 200 and text/plain, without a redirect",
      host);
}

// RFC 8461 3.1, 3.2
void add_sts(const DomainFacts& facts, std::vector<Line>& out) {
  const StsFacts& sts = facts.sts;
  const auto add = [&](Verdict verdict, std::string text, std::string remedy) {
    out.push_back({Item::sts, verdict, std::move(text), std::move(remedy)});
  };
  const std::string owner = "_mta-sts." + facts.domain;
  if (sts.unknown || (!sts.policy && !sts.txt.failure.empty())) {
    return add(sts.unknown ? Verdict::would_defer : Verdict::warning,
               fmt::format("whether there is a policy cannot be said: {}",
                           sts.txt.failure.empty() ? sts.detail : sts.txt.failure),
               fmt::format("Ask each name server for the TXT records of {}, with DNSSEC: 'delv {} TXT'",
                           owner, owner));
  }
  if (!sts.policy && !sts.txt.declared) {
    return add(Verdict::note, "no policy", "Publish one (RFC 8461), at first with mode: testing");
  }
  if (!sts.policy && !sts.txt.parsed.txt) {
    return add(Verdict::warning,
               fmt::format("its record names no policy: {}", fmt::join(sts.txt.parsed.problems, "; ")),
               fmt::format("Publish exactly one TXT record at {}: \"v=STSv1; id=20260101\"", owner));
  }
  if (!sts.policy) {
    return add(Verdict::warning, "there is a record, and its policy cannot be had: " + sts.detail,
               fetch_remedy(facts));
  }
  const sts::Policy& policy = sts.policy->policy;
  std::vector<std::string> patterns;
  for (const auto& p : policy.mx) patterns.push_back(p.str());
  const std::string text = fmt::format("mode {}, max_age {}, id {}{}{}", to_string(policy.mode),
                                       base::format_duration(policy.max_age), sts.policy->id,
                                       patterns.empty() ? "" : ", mx ", fmt::join(patterns, ", "));
  if (policy.mode == sts::Mode::none) {
    return add(Verdict::note, text + ": it asks for nothing",
               "Nothing, if the policy is to be given up; else serve mode: enforce under a new id");
  }
  if (policy.mode == sts::Mode::testing) {
    add(Verdict::warning, text + ": senders report and do not enforce",
        "When the TLSRPT reports are clean, serve mode: enforce and change the id of the TXT record");
  }
  if (policy.max_age < std::chrono::days(1)) {
    add(Verdict::warning,
        fmt::format("max_age {}: a sender forgets it within a day", base::format_duration(policy.max_age)),
        "Serve a max_age of weeks (RFC 8461 3.2), such as 1209600, and change the id of the TXT record");
  } else if (policy.mode == sts::Mode::enforce) {
    add(Verdict::good, text, {});
  }
}

// RFC 8460 3
Line tlsrpt_line(const DomainFacts& facts) {
  const auto& found = facts.tlsrpt;
  const std::string owner = "_smtp._tls." + facts.domain;
  const std::string publish =
      fmt::format("{} TXT \"v=TLSRPTv1; rua=mailto:tls-reports@{}\"", owner, facts.domain);
  if (!found.failure.empty()) {
    return {Item::tlsrpt, Verdict::warning, "cannot be looked up: " + found.failure,
            fmt::format("Ask each name server for the TXT records of {}", owner)};
  }
  if (found.parsed.txt)
    return {Item::tlsrpt,
            Verdict::good,
            fmt::format("reports to {}", fmt::join(found.parsed.txt->rua, ", ")),
            {}};
  if (!found.declared) {
    return {Item::tlsrpt, Verdict::note, "no record: nobody tells you when TLS fails", "Publish " + publish};
  }
  return {Item::tlsrpt, Verdict::warning,
          fmt::format("its record is not valid: {}", fmt::join(found.parsed.problems, "; ")),
          "Publish exactly one record of this form: " + publish};
}

bool advertises(const delivery::Probed& p) {
  const bool stsec = p.stsec && p.stsec->stsec && p.stsec->stsec->max_age > base::Seconds(0);
  const bool pins = p.pins && p.pins->advert && p.pins->not_noted.empty() && !p.pins->advert->withdraws() &&
                    p.pins->advert->mode == pins::Mode::enforce;
  return stsec || pins;
}

// Nothing that the domain declares makes a sender insist on TLS with this host.
bool unprotected(const DomainFacts& facts, const HostFacts& host) {
  if (facts.sts.policy && facts.sts.policy->policy.mode == sts::Mode::enforce) return false;
  if (host.tlsa.kind == dane::HostTlsa::Kind::records) return false;
  return std::any_of(host.probed.begin(), host.probed.end(), [](const delivery::Probed& p) {
    return p.usable && p.no_tls.empty() && !advertises(p);
  });
}

void add_protection(const DomainFacts& facts, std::vector<Line>& out) {
  std::vector<std::string> open;
  for (const HostFacts& host : facts.hosts) {
    if (unprotected(facts, host)) open.push_back(host.host);
  }
  if (open.empty()) return;
  out.push_back(
      {Item::protection, Verdict::warning,
       fmt::format("nothing obliges a sender to use TLS with {}: who stands in between can take it away",
                   fmt::join(open, ", ")),
       "Declare it: TLSA records (DANE), an MTA-STS policy, or pins and STSEC by 'pinnace gate'"});
}

}  // namespace

std::vector<Line> domain_lines(const DomainFacts& facts) {
  std::vector<Line> out = {mx_line(facts)};
  if (facts.mx.kind != dns::MailHosts::Kind::hosts) return out;
  add_sts(facts, out);
  out.push_back(tlsrpt_line(facts));
  add_protection(facts, out);
  return out;
}

}  // namespace pinnace::check
