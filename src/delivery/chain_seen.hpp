// What a chain that a host showed is worth to a program that connects by itself: with what it can be held to
// the decision, and how long.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/decision.hpp"
#include "tls/verify.hpp"

namespace pinnace::delivery {

struct ChainSeen {
  std::string key_sha256;          // of the leaf's SubjectPublicKeyInfo; 32 octets
  std::string certificate_sha256;  // of the leaf's DER; 32 octets
  base::Time until{};              // the earliest end of the certificates whose dates count
  // The CA on whose key all that pins and TLSA records demand rests, PEM. Nothing: the leaf's own key matched
  // somewhere, or no one CA speaks for all.
  std::optional<std::string> anchor;
};

// Nothing: it does not satisfy all that the decision enforces.
std::optional<ChainSeen> satisfying(const policy::Decision& decision, const tls::PeerChain& chain,
                                    std::string_view tls_version, const tls::TrustStore& roots,
                                    base::Time now);

}  // namespace pinnace::delivery
