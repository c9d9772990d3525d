// A certificate of ours with its key: a listener's, or one that a client shows.
#pragma once

#include <memory>
#include <string>

#include "tls/chain.hpp"

namespace pinnace::tls {

class OwnCertificate {
 public:
  // PEM: the leaf first, then what is above it; and its key. Errors "tls.certificate", "tls.key" name the
  // file, and so does "tls.permission": this process may not read it.
  static base::Result<OwnCertificate> load(const std::string& certificate_file, const std::string& key_file);

  // The same of texts; the names are for errors.
  static base::Result<OwnCertificate> from_pem(std::string_view certificate, std::string_view key,
                                               const std::string& certificate_name,
                                               const std::string& key_name);

  const PeerChain& chain() const;
  std::string pem() const;            // the private key, then the certificates. Secret
  std::string fingerprint() const;    // SHA-256 of the leaf, in hex
  std::string key_algorithm() const;  // "RSA", "EC", "ED25519"

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit OwnCertificate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// The pin of a PEM file with a private key, a public key or a certificate. Error "tls.key".
base::Result<pins::Pin> pin_of_file(const std::string& file);

}  // namespace pinnace::tls
