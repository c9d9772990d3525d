// Does a chain match pins, or names under the WebPKI? One mechanism for deliveries, for
// noting and for the command line: OpenSSL's DANE verification, given synthetic TLSA
// records (pinning-protocol, "Matching"). That the peer holds the leaf's key is not
// shown here but by the handshake, whose signature OpenSSL always verifies.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pins/pin.hpp"
#include "tls/chain.hpp"

namespace pinnace::tls {

struct PinMatch {
  bool ok = false;
  bool by_ca = false;  // a CA's key, not the leaf's own
  std::optional<pins::Pin> matched;
  std::string reason;  // for people, either way
};

// `names`: those that a leaf under a pinned CA may bear, one of them; none: a CA pin cannot match.
// `roots`: where a pinned root is found that the peer does not send; may be null.
PinMatch match_pins(const PeerChain& chain, std::span<const pins::Pin> pins,
                    std::span<const std::string> names, const TrustStore* roots, base::Time at);

// Those of `pins` that match on their own.
std::vector<pins::Pin> matching_pins(const PeerChain& chain, std::span<const pins::Pin> pins,
                                     std::span<const std::string> names, const TrustStore* roots,
                                     base::Time at);

// Empty: the chain leads to a trust anchor and the leaf has the name as a SAN dNSName. Else why not.
std::string webpki_problem(const PeerChain& chain, const std::string& name, const TrustStore& roots,
                           base::Time at);

}  // namespace pinnace::tls
