// A certificate without its key: what anybody can make of a receiver's public certificate.
#pragma once

#include <openssl/ssl.h>

namespace lab {

// Gives `context` a key whose public half is that of the context's certificate (P-256) and whose
// private half is made up. OpenSSL takes the two for a pair, so the handshake gets as far as the
// signature, which is wrong. False when the certificate holds no P-256 key.
bool use_forged_key(SSL_CTX* context);

}  // namespace lab
