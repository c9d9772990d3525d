// The certificates that a peer presented, leaf first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "pins/pin.hpp"

namespace pinnace::tls {

class PeerChain {
 public:
  PeerChain();  // empty
  // PEM, leaf first. Error "tls.chain".
  static base::Result<PeerChain> from_pem(std::string_view pem);

  bool empty() const;
  std::vector<pins::Pin> pins() const;  // of each certificate's key
  // Of the leaf, for people. Hostile text: quote it before it goes into a log.
  std::string subject() const;
  std::string issuer() const;
  base::Time not_after() const;
  std::string certificate_sha256() const;      // of its DER, 32 octets
  std::vector<std::string> dns_names() const;  // its SAN dNSNames, as they stand

  struct Impl;
  explicit PeerChain(std::shared_ptr<const Impl> impl);
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// The trust anchors of the WebPKI.
class TrustStore {
 public:
  static base::Result<TrustStore> from_pem(std::string_view pem);
  // Error "tls.roots": the file cannot be read or holds no certificate.
  static base::Result<TrustStore> load(const std::string& file);
  // Debian's bundle; empty where there is none.
  static TrustStore system();

  struct Impl;
  explicit TrustStore(std::shared_ptr<const Impl> impl);
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pinnace::tls
