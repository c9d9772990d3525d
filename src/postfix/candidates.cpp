#include "postfix/candidates.hpp"

#include <algorithm>

namespace pinnace::postfix {
namespace {

// TLS with whoever is there.
std::optional<Candidate> by_encryption(const View& view) {
  Candidate out;
  out.level = "encrypt";
  for (const Demands& host : view.hosts) {
    if (!host.reachable) {
      out.left_out.push_back(host.known->problem);
      continue;
    }
    if (!host.usable() || !host.proofs.empty()) return std::nullopt;
    out.left_out.emplace_back();
  }
  return out;
}

}  // namespace

std::size_t Candidate::used() const {
  return static_cast<std::size_t>(std::count(left_out.begin(), left_out.end(), std::string()));
}

bool Candidate::serves_more_than(const Candidate& other) const {
  if (used() != other.used()) return used() > other.used();
  for (std::size_t i = 0; i < left_out.size(); ++i) {
    if (left_out[i].empty() != other.left_out[i].empty()) return left_out[i].empty();
  }
  return false;
}

bool View::sts_enforced() const {
  return known.sts && known.sts->live(known.now) && known.sts->policy.mode == sts::Mode::enforce;
}

bool View::mx_must_be_proven() const {
  return !known.mx_secure && std::any_of(hosts.begin(), hosts.end(), [](const Demands& host) {
    return host.reachable && host.known->decision->mx_ruled;
  });
}

policy::Bound View::unreachable_bound() const {
  policy::Bound out = policy::Bound::nothing;
  for (const Demands& host : hosts) {
    if (!host.reachable) out = std::max(out, host.known->bound);
  }
  return out;
}

std::vector<Candidate> candidates(const View& view) {
  std::vector<Candidate> out;
  const bool proven_alone = view.mx_must_be_proven() || view.unreachable_bound() == policy::Bound::proof;
  const auto add = [&](std::optional<Candidate> candidate) {
    if (candidate && candidate->used() > 0) out.push_back(std::move(*candidate));
  };
  // At dane-only a host proves what its own TLSA records say, and not who it is otherwise.
  if (view.unreachable_bound() != policy::Bound::proof) add(by_dane(view, true));
  for (Candidate& candidate : by_authority(view)) add(std::move(candidate));
  add(by_fingerprint(view, false));
  if (proven_alone) return out;
  add(by_encryption(view));
  // Last: where main.cf has no DNSSEC, Postfix takes it for "may" (dane_init() of smtp_tls_policy.c).
  if (view.unreachable_bound() == policy::Bound::nothing) add(by_dane(view, false));
  return out;
}

std::optional<Candidate> last_resort(const View& view) {
  std::optional<Candidate> out = by_fingerprint(view, true);
  if (!out || out->used() == 0) return std::nullopt;
  out->notes.push_back("only certificates that were seen are let through: other hosts must not be used");
  return out;
}

}  // namespace pinnace::postfix
