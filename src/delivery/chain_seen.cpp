#include "delivery/chain_seen.hpp"

#include <algorithm>

namespace pinnace::delivery {
namespace {

// Where no certificate's dates count (RFC 7672 3.1.1), as long as anything is believed that was seen once.
constexpr std::chrono::days kAtMost{60};

// What one requirement rests on.
struct Ground {
  bool met = false;
  bool by_key = false;                      // by keys: pins, TLSA
  std::optional<tls::Authority> authority;  // by a CA's
  base::Time until = base::Time::max();
};

Ground under(std::optional<tls::Authority> authority, bool met) {
  const base::Time until = authority ? authority->until : base::Time::max();
  return {met, true, std::move(authority), until};
}

Ground vouched(const policy::Requirement& r, const tls::PeerChain& chain, const tls::TrustStore& roots,
               base::Time now) {
  for (const std::string& name : r.names) {
    const tls::Vouched by = tls::vouched(chain, name, roots, now);
    if (by.problem.empty()) return {true, false, {}, by.until};
  }
  return {};
}

Ground ground(const policy::Requirement& r, const tls::PeerChain& chain, std::string_view tls_version,
              const tls::TrustStore& roots, base::Time now) {
  switch (r.demand) {
    case policy::Demand::tls:
      return {true, false, {}, base::Time::max()};
    case policy::Demand::pins: {
      tls::PinMatch m = tls::match_pins(chain, r.pins, r.names, &roots, now);
      return under(std::move(m.authority), m.ok);
    }
    case policy::Demand::dane: {
      tls::TlsaMatch m = tls::match_tlsa(chain, r.tlsa, r.names, now);
      return under(std::move(m.authority), m.ok);
    }
    case policy::Demand::webpki:
      return vouched(r, chain, roots, now);
    case policy::Demand::protocol:
      return {policy::reaches(tls_version, r.protocol), false, {}, base::Time::max()};
    case policy::Demand::offers_requiretls:  // of messages, which are not known here
    case policy::Demand::unmet:
      break;
  }
  return {};
}

// The one CA that speaks for all: what stands under it satisfies each of them. Of two, the lower stands under
// the upper for certain only where it signed the leaf itself; higher up they may be two ways to two roots.
std::optional<std::string> common_anchor(const std::vector<Ground>& grounds) {
  const tls::Authority* lowest = nullptr;
  bool same = true;
  for (const Ground& g : grounds) {
    if (!g.by_key) continue;
    if (!g.authority || g.authority->pem.empty()) return std::nullopt;
    same = same && (!lowest || lowest->pem == g.authority->pem);
    if (!lowest || g.authority->depth < lowest->depth) lowest = &*g.authority;
  }
  if (!lowest || (!same && lowest->depth != 1)) return std::nullopt;
  return lowest->pem;
}

}  // namespace

std::optional<ChainSeen> satisfying(const policy::Decision& decision, const tls::PeerChain& chain,
                                    std::string_view tls_version, const tls::TrustStore& roots,
                                    base::Time now) {
  const auto keys = chain.pins();
  if (keys.empty()) return std::nullopt;
  std::vector<Ground> grounds;
  for (const policy::Requirement& r : decision.requirements) {
    if (!r.enforced) continue;
    grounds.push_back(ground(r, chain, tls_version, roots, now));
    if (!grounds.back().met) return std::nullopt;
  }
  ChainSeen out;
  const auto& key = keys.front().sha256;
  out.key_sha256.assign(reinterpret_cast<const char*>(key.data()), key.size());
  out.certificate_sha256 = chain.certificate_sha256();
  out.until = now + kAtMost;
  for (const Ground& g : grounds) out.until = std::min(out.until, g.until);
  out.anchor = common_anchor(grounds);
  return out;
}

}  // namespace pinnace::delivery
