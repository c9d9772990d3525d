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

std::vector<Candidate> candidates(const View& view) {
  std::vector<Candidate> out;
  const auto add = [&](std::optional<Candidate> candidate) {
    if (candidate && candidate->used() > 0) out.push_back(std::move(*candidate));
  };
  add(by_dane(view, true));
  for (Candidate& candidate : by_authority(view)) add(std::move(candidate));
  add(by_fingerprint(view, false));
  add(by_encryption(view));
  // Last: where main.cf has no DNSSEC, Postfix takes it for "may" (dane_init() of smtp_tls_policy.c).
  add(by_dane(view, false));
  return out;
}

std::optional<Candidate> last_resort(const View& view) {
  std::optional<Candidate> out = by_fingerprint(view, true);
  if (!out || out->used() == 0) return std::nullopt;
  out->notes.push_back("only certificates that were seen are let through: other hosts must not be used");
  return out;
}

}  // namespace pinnace::postfix
