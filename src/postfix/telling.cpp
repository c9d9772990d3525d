#include "postfix/telling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "postfix/candidates.hpp"
#include "postfix/tlsrpt_attributes.hpp"

namespace pinnace::postfix {
namespace {

using namespace std::chrono_literals;
using policy::Source;

// A host that the DNS kept from us may be one that Postfix reaches the next moment: an answer that would let
// it be used without proof is asked about again soon.
constexpr base::Seconds kUnknownHostHolds = 5min;
constexpr std::size_t kMostReason = 400;

// One line of visible ASCII: it goes over the socketmap and into Postfix's log.
std::string line(std::string text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.size() > kMostReason) text.replace(kMostReason - 3, std::string::npos, "...");
  return text;
}

Telling temp(std::string reason) {
  Telling out;
  out.kind = Telling::Kind::temp;
  out.text = out.reason = line(std::move(reason));
  return out;
}

Telling not_found(std::string reason) {
  Telling out;
  out.kind = Telling::Kind::not_found;
  out.reason = line(std::move(reason));
  return out;
}

Telling ok(std::string text, std::string reason) {
  Telling out;
  out.kind = Telling::Kind::ok;
  out.text = std::move(text);
  out.reason = line(std::move(reason));
  return out;
}

// Whose decisions they are: "dane; sts, pkp-host".
std::string sources(const View& view) {
  std::string out;
  std::set<std::string> said;
  for (const Demands& host : view.hosts) {
    if (!host.reachable || !said.insert(host.known->decision->summary()).second) continue;
    out += (out.empty() ? "" : "; ") + host.known->decision->summary();
  }
  return out;
}

bool dane_waived(const Demands& host) {
  return host.reachable &&
         std::any_of(host.known->decision->requirements.begin(), host.known->decision->requirements.end(),
                     [](const auto& r) { return r.source == Source::dane && r.aside == "ignored by rule"; });
}

// Nothing is demanded of any host: what main.cf has for all domains, unless a rule says something else.
Telling undemanding(const View& view) {
  bool never = true, may = false, waived = false;
  for (const Demands& host : view.hosts) {
    never = never && host.reachable;
    if (!host.reachable) continue;
    never = never && host.known->decision->tls_never;
    may = may || host.known->decision->tls_may;
    waived = waived || dane_waived(host);
  }
  if (never) return ok("none", "a rule says tls = none, and nothing demands TLS");
  if (may) return ok("may", "a rule says tls = may, and nothing demands TLS");
  // Else a main.cf that says "dane" would enforce what the rule sets aside.
  if (waived) return ok("may", "a rule ignores DANE, and nothing else demands TLS");
  return not_found("nothing is demanded: main.cf decides");
}

const Candidate* best_of(const std::vector<Candidate>& all) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : all) {
    if (!best || candidate.serves_more_than(*best)) best = &candidate;
  }
  return best;
}

bool seen_now(const Demands& host, base::Time now) {
  return std::any_of(host.known->seen.begin(), host.known->seen.end(),
                     [&](const SeenChain& chain) { return chain.not_after > now; });
}

// Would it help to see what the hosts show? `chosen`: null where there is no answer.
bool wants_probe(const View& view, const Candidate* chosen) {
  for (std::size_t i = 0; i < view.hosts.size(); ++i) {
    const Demands& host = view.hosts[i];
    if (!host.usable() || seen_now(host, view.known.now)) continue;
    if (!chosen) return true;
    if (!host.proofs.empty() && (chosen->level == "fingerprint" || !chosen->left_out[i].empty())) return true;
  }
  return false;
}

std::string protocols(const View& view) {
  std::optional<policy::Protocol> least;
  for (const Demands& host : view.hosts) {
    if (host.protocol) least = std::max(least.value_or(*host.protocol), *host.protocol);
  }
  // Of Postfix 3.6 and later.
  return least ? fmt::format(" protocols=>={}", to_string(*least)) : "";
}

// The next hop is an address literal: itself its only host.
bool at_address(const View& view) { return view.known.domain.starts_with('['); }

Telling told(const View& view, const Candidate& chosen) {
  std::string text = chosen.level;
  if (!chosen.match.empty()) text += " match=" + chosen.match;
  // RFC 6066 3: no address stands in SNI. The relay sends none there either.
  if (!chosen.match.empty() && !at_address(view)) text += " servername=hostname";
  for (const AnchorFile& file : chosen.files) text += " tafile=" + file.path;
  text += protocols(view);
  Telling out;
  std::vector<std::string> notes = chosen.notes;
  if (view.options.tlsrpt && view.sts_enforced() && chosen.level == "secure") {
    // Newer ones of Postfix put the policy's patterns in the place of `match`
    // (smtp_tls_enforce_sts_mx_patterns): never where more is demanded than these.
    if (chosen.policy_alone) {
      text += tlsrpt_attributes(*view.known.sts, view.known.now, chosen.policy_failure);
    } else {
      notes.push_back("no TLSRPT attributes: not the MTA-STS policy alone decides");
    }
  }
  out = ok(std::move(text), fmt::format("{}, of {}", chosen.level, sources(view)));
  out.notes = std::move(notes);
  out.files = chosen.files;
  out.until = chosen.until;
  out.demanding = true;
  return out;
}

void add_hosts_left_out(Telling& to, const View& view, const Candidate& chosen) {
  for (std::size_t i = 0; i < view.hosts.size(); ++i) {
    if (chosen.left_out[i].empty()) continue;
    to.notes.push_back(
        line(fmt::format("{} is left out: {}", view.hosts[i].known->host, chosen.left_out[i])));
  }
}

// Why there is no answer.
std::string impossible(const View& view) {
  std::string out;
  for (const Demands& host : view.hosts) {
    const std::string why =
        !host.reachable
            ? host.known->problem + (host.known->bound == policy::Bound::nothing
                                         ? ""
                                         : ", and Postfix, which may reach it, could be told too little")
        : !host.usable() ? host.forbidden
        : host.proofs.empty() && view.mx_must_be_proven()
            ? "a rule lists the mail hosts, the MX answer is not signed, and nothing makes this one prove "
              "that "
              "it is one of them: give the rule tls = \"authenticated\""
        : host.proofs.empty()
            ? "Postfix cannot be kept from hosts that must not be used"
            : "what is demanded of it together (" + host.known->decision->summary() +
                  (at_address(view) ? ") has no one answer: no certificate proves an address"
                                    : ") has no one answer, and no certificate was seen "
                                      "that meets all");
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", host.known->host, why);
  }
  return out;
}

Telling about_hosts(const View& view) {
  const auto& hosts = view.hosts;
  const auto reachable = [](const Demands& host) { return host.reachable; };
  if (std::none_of(hosts.begin(), hosts.end(), reachable)) {
    return temp(hosts.empty() ? "no mail host is known" : impossible(view));
  }
  const bool demanded = std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.tls; }) ||
                        view.mx_must_be_proven() || view.unreachable_bound() != policy::Bound::nothing;
  Telling out;
  const Candidate* chosen = nullptr;
  std::vector<Candidate> all;
  if (demanded) {
    all = candidates(view);
    if (all.empty()) {
      if (auto last = last_resort(view)) all.push_back(std::move(*last));
    }
    if (all.empty()) {
      if (auto refusal = refusal_to_report(view)) all.push_back(std::move(*refusal));
    }
    chosen = best_of(all);
    out = chosen ? told(view, *chosen) : temp(impossible(view));
    if (chosen) add_hosts_left_out(out, view, *chosen);
    out.wants_probe = wants_probe(view, chosen);
  } else {
    out = undemanding(view);
  }
  const bool proves = chosen && chosen->level != "encrypt" && chosen->level != "dane";
  if (!proves && out.kind != Telling::Kind::temp && !std::all_of(hosts.begin(), hosts.end(), reachable)) {
    out.until = std::min(out.until.value_or(base::Time::max()), view.known.now + kUnknownHostHolds);
  }
  for (const Demands& host : hosts) {
    if (!host.reachable || !host.known->decision->client_certificate) continue;
    out.notes.push_back(
        line(fmt::format("{}: the client certificate {} of a rule is not shown: Postfix has one "
                         "for all (smtp_tls_cert_file)",
                         host.known->host, host.known->decision->client_certificate->name)));
  }
  return out;
}

// Postfix is told nothing, people are told what it would be.
Telling reported(Telling would) {
  Telling out = not_found(fmt::format("report only; else: {}", would.reason));
  const std::string said = would.kind == Telling::Kind::ok     ? "OK " + would.text
                           : would.kind == Telling::Kind::temp ? "TEMP " + would.text
                                                               : "NOTFOUND";
  out.notes.push_back("it would be told: " + line(said));
  for (std::string& note : would.notes) out.notes.push_back(std::move(note));
  out.wants_probe = would.wants_probe;
  return out;
}

Telling about(const DomainKnown& known, const Options& options) {
  switch (known.kind) {
    case DomainKnown::Kind::no_mail:
      return not_found(known.detail.empty() ? "the domain takes no mail" : known.detail);
    case DomainKnown::Kind::failure:
      return temp(known.detail.empty() ? "the DNS gives no answer that can be trusted" : known.detail);
    case DomainKnown::Kind::hosts:
      break;
  }
  View view{known, options, {}};
  for (const HostKnown& host : known.hosts) view.hosts.push_back(demands_of(host));
  return about_hosts(view);
}

}  // namespace

Telling tell(const DomainKnown& known, const Options& options) {
  Telling out = about(known, options);
  return options.report_only ? reported(std::move(out)) : out;
}

}  // namespace pinnace::postfix
