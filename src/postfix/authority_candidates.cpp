// Level secure: a trusted CA vouches for one of the names in `match`. The CAs are those of main.cf
// (smtp_tls_CAfile, smtp_tls_CApath), or where `tafile` is given the ones in these files alone.
#include <algorithm>
#include <map>
#include <set>

#include "base/hex.hpp"
#include "postfix/candidates.hpp"
#include "tls/digest.hpp"

namespace pinnace::postfix {
namespace {

using Names = std::set<std::string>;
using policy::Demand;

constexpr std::size_t kMostNames = 100;

// Only names of several labels, nothing but letters, digits, '-' and '_' in them: Postfix takes "hostname"
// for whatever host the MX answer names, and a dot in front for all names below.
bool can_be_matched(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return std::all_of(name.begin(), name.end(), plain) && name.find('.') != std::string::npos &&
         !name.starts_with('.') && !name.ends_with('.') && name.find("..") == std::string::npos;
}

// A path that is one word of an attribute.
bool can_be_named(const std::string& path) {
  return path.starts_with('/') && std::none_of(path.begin(), path.end(), [](char c) {
           return c <= ' ' || c >= 0x7f || c == ',' || c == '{' || c == '}';
         });
}

// Those that meet every demand for a name.
Names names_of(const Demands& host) {
  Names out(host.proofs.front()->names.begin(), host.proofs.front()->names.end());
  for (const policy::Requirement* r : host.proofs) {
    std::erase_if(out, [&](const std::string& name) {
      return !can_be_matched(name) || std::find(r->names.begin(), r->names.end(), name) == r->names.end();
    });
  }
  return out;
}

bool by_webpki_alone(const Demands& host) {
  return host.usable() && !host.proofs.empty() &&
         std::all_of(host.proofs.begin(), host.proofs.end(),
                     [](const policy::Requirement* r) { return r->demand == Demand::webpki; });
}

bool by_sts_alone(const Demands& host) {
  return by_webpki_alone(host) && std::all_of(host.proofs.begin(), host.proofs.end(),
                                              [](const auto* r) { return r->source == policy::Source::sts; });
}

std::string why_not(const Demands& host) {
  if (!host.reachable) return host.known->problem;
  if (!host.usable()) return host.forbidden;
  if (host.proofs.empty()) return "nothing demands a name of it, and other hosts must prove theirs";
  return "more is demanded of it than that a CA vouches for its name";
}

// What is cut off is not let through.
std::string joined(const Names& of_hosts, const Names& others = {}) {
  std::string out;
  std::size_t count = 0;
  for (const Names* names : {&of_hosts, &others}) {
    for (const std::string& name : *names) {
      if (++count > kMostNames) return out;
      out += (out.empty() ? "" : ":") + name;
    }
  }
  return out;
}

// The policy's own names that are no hosts of the domain now: the next MX answer may name them, and whoever
// it names, the policy vouches for it. Where anything but the policy has a say, it may have one about them
// too.
Names other_names_of_policy(const View& view) {
  Names out;
  for (const names::MxPattern& pattern : view.known.sts->policy.mx) {
    const std::string name = pattern.str();
    if (can_be_matched(name)) out.insert(name);
  }
  for (const Demands& host : view.hosts) out.erase(host.name);
  return out;
}

std::optional<Candidate> by_system_authorities(const View& view) {
  Candidate out;
  out.level = "secure";
  Names names;
  bool sts_alone = view.sts_enforced(), ruled = false;
  for (const Demands& host : view.hosts) {
    Names own;
    if (by_webpki_alone(host)) own = names_of(host);
    out.left_out.push_back(own.empty() ? why_not(host) : "");
    ruled = ruled || (host.reachable && host.known->decision->mx_ruled);
    if (!own.empty()) sts_alone = sts_alone && by_sts_alone(host);
    if (own.empty() && sts_alone && view.known.sts->policy.lists(host.name)) sts_alone = false;
    names.merge(own);
  }
  if (names.empty()) return std::nullopt;
  out.policy_alone = sts_alone && !ruled;
  out.match = joined(names, out.policy_alone ? other_names_of_policy(view) : Names());
  return out;
}

using Anchors = std::map<std::string, base::Time>;  // PEM, until when it was seen to be good

// That a CA of main.cf vouches too, as MTA-STS has it, was seen together with them.
Anchors anchors_of(const Demands& host, base::Time now) {
  Anchors out;
  if (!host.usable() || host.proofs.empty()) return out;
  for (const SeenChain& chain : host.known->seen) {
    if (chain.not_after <= now) continue;
    for (const std::string& pem : chain.anchors) {
      const auto at = out.emplace(pem, chain.not_after).first;
      at->second = std::max(at->second, chain.not_after);
    }
  }
  return out;
}

// Each of the anchors meets the host's demands, and whatever it showed stands under one of them.
bool stands_under(const Demands& host, const Anchors& own, const Anchors& anchors, base::Time now) {
  const auto is_one = [&](const std::string& pem) { return anchors.contains(pem); };
  return std::all_of(anchors.begin(), anchors.end(), [&](const auto& a) { return own.contains(a.first); }) &&
         std::all_of(host.known->seen.begin(), host.known->seen.end(), [&](const SeenChain& chain) {
           return chain.not_after <= now || std::any_of(chain.anchors.begin(), chain.anchors.end(), is_one);
         });
}

// All hosts whose demands these anchors meet, each with names of its own: what any two of them say together
// holds for one of the hosts.
std::optional<Candidate> by_anchors(const View& view, const Anchors& anchors) {
  if (!can_be_named(view.options.anchors_folder)) return std::nullopt;
  Candidate out;
  out.level = "secure";
  Names names;
  for (const Demands& host : view.hosts) {
    const Anchors own = anchors_of(host, view.known.now);
    Names accepted;
    if (stands_under(host, own, anchors, view.known.now)) accepted = names_of(host);
    out.left_out.push_back(
        accepted.empty() ? host.usable() ? "it does not stand under the same CA keys" : why_not(host) : "");
    if (accepted.empty()) continue;
    names.merge(accepted);
    for (const auto& [pem, time] : own) {
      if (anchors.contains(pem)) out.until = std::min(out.until.value_or(time), time);
    }
  }
  if (names.empty()) return std::nullopt;
  out.match = joined(names);
  for (const auto& [pem, time] : anchors) {
    out.files.push_back({view.options.anchors_folder + "/" + base::hex(tls::sha256(pem)) + ".pem", pem});
  }
  return out;
}

}  // namespace

std::optional<Candidate> refusal_to_report(const View& view) {
  if (!view.options.tlsrpt || !view.sts_enforced()) return std::nullopt;
  Candidate out;
  out.level = "secure";
  out.policy_alone = true;
  out.policy_failure = "validation-failure";
  for (const Demands& host : view.hosts) {
    const bool unlisted = host.reachable && !host.usable() && host.proofs.empty() &&
                          !host.known->decision->mx_ruled && !host.known->decision->sts_failed &&
                          !view.known.sts->policy.lists(host.name);
    if (!unlisted) return std::nullopt;
    out.left_out.push_back(host.forbidden);
  }
  out.match = joined(other_names_of_policy(view));
  if (out.match.empty()) return std::nullopt;
  return out;
}

std::vector<Candidate> by_authority(const View& view) {
  std::vector<Candidate> out;
  if (auto candidate = by_system_authorities(view)) out.push_back(std::move(*candidate));
  std::set<Anchors> tried;
  for (const Demands& host : view.hosts) {
    const auto anchors = anchors_of(host, view.known.now);
    if (anchors.empty() || !tried.insert(anchors).second) continue;
    if (auto candidate = by_anchors(view, anchors)) out.push_back(std::move(*candidate));
  }
  return out;
}

}  // namespace pinnace::postfix
