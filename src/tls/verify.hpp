// Does a chain match pins, or names under the WebPKI? One mechanism for deliveries, for
// noting and for the command line: OpenSSL's DANE verification, given synthetic TLSA
// records (pinning-protocol, "Matching"). That the peer holds the leaf's key is not
// shown here but by the handshake, whose signature OpenSSL always verifies.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dane/tlsa.hpp"
#include "pins/pin.hpp"
#include "tls/chain.hpp"

namespace pinnace::tls {

// The CA on whose key a match rests.
struct Authority {
  int depth = 0;       // above the leaf
  std::string pem;     // its certificate; empty: nothing but its key was to be had
  base::Time until{};  // the earliest end of the certificates from the leaf to it
};

struct PinMatch {
  bool ok = false;
  bool by_ca = false;                  // a CA's key, not the leaf's own
  std::optional<Authority> authority;  // where by_ca
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

struct TlsaMatch {
  bool ok = false;
  std::optional<dane::Tlsa> matched;
  std::optional<Authority> authority;  // nothing: the leaf matched
  std::string reason;                  // for people, either way
};

// RFC 7672 3.1, 3.2: does a usable record authenticate the chain? `names` are the reference identifiers that
// a leaf under usage 2 bears, one of them, as a SAN dNSName; under usage 3 neither name nor dates count.
TlsaMatch match_tlsa(const PeerChain& chain, const std::vector<dane::Tlsa>& records,
                     std::span<const std::string> names, base::Time at);

// RFC 6698 2.1.4: can a full value (matching type 0) be the certificate or key that it is said to be? True
// for every digest.
bool well_formed(const dane::Tlsa& record);

// RFC 6125 6.4, as RFC 8461 4.1 and RFC 7672 3.2.3 narrow it: dNSNames only, "*" for a whole first label.
bool name_matches(const std::vector<std::string>& dns_names, const std::string& host);

struct Vouched {
  std::string problem;  // empty: the chain leads to a trust anchor and the leaf has the name
  base::Time until{};   // then the earliest end of its certificates
};
Vouched vouched(const PeerChain& chain, const std::string& name, const TrustStore& roots, base::Time at);

// Empty: the chain leads to a trust anchor and the leaf has the name as a SAN dNSName. Else why not.
std::string webpki_problem(const PeerChain& chain, const std::string& name, const TrustStore& roots,
                           base::Time at);

}  // namespace pinnace::tls
