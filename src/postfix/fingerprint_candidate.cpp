// Level fingerprint: SHA-256 digests of leaf certificates or of their keys; Postfix compares each digest with
// both (tls_dane_add_fpt_digests() of tls_dane.c).
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hex.hpp"
#include "postfix/candidates.hpp"
#include "tls/digest.hpp"

namespace pinnace::postfix {
namespace {

using Digests = std::set<std::string>;

// Far below what Postfix reads (100,000 octets, socketmap_table(5)), TLSRPT attributes included. What is cut
// off is not let through.
constexpr std::size_t kMostDigests = 300;

std::string octets(const pins::Pin& pin) {
  return {reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size()};
}

// A leaf's record as the digest of what it is about; nothing where it has another one.
std::optional<std::string> digest_of(const dane::Tlsa& record, std::uint8_t selector) {
  if (record.usage != dane::kDaneEe || record.selector != selector) return std::nullopt;
  if (record.matching == dane::kSha256) return record.data;
  if (record.matching == dane::kFull) return tls::sha256(record.data);
  return std::nullopt;
}

// The leaf keys under which a requirement is met, whatever certificate they are in. Of pins some may be CAs'
// keys: as a leaf's they match too, if ever one shows them.
Digests keys_of(const policy::Requirement& r) {
  Digests out;
  for (const pins::Pin& pin : r.pins) out.insert(octets(pin));
  for (const dane::Tlsa& record : r.tlsa) {
    if (auto digest = digest_of(record, dane::kSpki)) out.insert(std::move(*digest));
  }
  return out;
}

Digests certificates_of(const policy::Requirement& r) {
  Digests out;
  for (const dane::Tlsa& record : r.tlsa) {
    if (auto digest = digest_of(record, dane::kCert)) out.insert(std::move(*digest));
  }
  return out;
}

// Digests each of which meets all that is demanded of the host.
Digests written_in_demands(const Demands& host) {
  if (host.proofs.empty()) return {};
  Digests out = keys_of(*host.proofs.front());
  for (std::size_t i = 1; i < host.proofs.size(); ++i) {
    const Digests also = keys_of(*host.proofs[i]);
    std::erase_if(out, [&](const std::string& key) { return !also.contains(key); });
  }
  if (host.proofs.size() == 1) out.merge(certificates_of(*host.proofs.front()));
  return out;
}

std::string why_none(const Demands& host) {
  if (!host.reachable) return host.known->problem;
  if (!host.usable()) return host.forbidden;
  if (host.proofs.empty())
    return "nothing is known by which it could be told apart, and other hosts prove who they are";
  return host.known->seen.empty() ? "no certificate of it was seen yet that meets all that is demanded"
                                  : "no certificate that was seen of it is valid any more";
}

}  // namespace

std::optional<Candidate> by_fingerprint(const View& view, bool unproven_too) {
  Candidate out;
  out.level = "fingerprint";
  std::vector<std::string> ordered;
  Digests all;
  for (const Demands& host : view.hosts) {
    out.left_out.push_back(why_none(host));
    if (!host.usable() || (host.proofs.empty() && !unproven_too)) continue;
    Digests accepted = written_in_demands(host);
    if (!accepted.empty()) out.left_out.back().clear();
    for (const SeenChain& chain : host.known->seen) {
      if (chain.not_after <= view.known.now || chain.certificate_sha256.size() != 32) continue;
      out.left_out.back().clear();
      if (accepted.contains(chain.key_sha256) || accepted.contains(chain.certificate_sha256)) continue;
      // The certificate, not its key: nothing but this very one was seen to meet all.
      accepted.insert(chain.certificate_sha256);
      out.until = std::min(out.until.value_or(chain.not_after), chain.not_after);
    }
    for (const std::string& digest : accepted) {
      if (all.insert(digest).second) ordered.push_back(digest);
    }
  }
  if (ordered.empty()) return std::nullopt;
  if (ordered.size() > kMostDigests) {
    out.notes.push_back(fmt::format("only {} of {} digests are written", kMostDigests, ordered.size()));
    ordered.resize(kMostDigests);
  }
  for (const std::string& digest : ordered) {
    out.match += (out.match.empty() ? "" : "|") + base::hex(digest, ":");
  }
  return out;
}

}  // namespace pinnace::postfix
