// What the tls folder's own sources share of our certificates.
#pragma once

#include "tls/chain_impl.hpp"
#include "tls/own_certificate.hpp"

namespace pinnace::tls {

struct OwnCertificate::Impl {
  PeerChain chain;
  KeyPtr key;
};

// False, with OpenSSL's reason left in its queue: it takes no such certificate or key.
bool use(SSL_CTX* context, const OwnCertificate& certificate);
bool use(SSL* ssl, const OwnCertificate& certificate);

}  // namespace pinnace::tls
