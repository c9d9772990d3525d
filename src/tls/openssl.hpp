// Owners of OpenSSL's objects. Only this folder's own sources include it.
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "pins/pin.hpp"

namespace pinnace::tls {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using CtxPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;

// What holds for either side: TLS 1.2 at least, no anonymous ciphers, buffers given back.
void set_defaults(SSL_CTX* context);

pins::Pin spki_pin(X509* certificate);
pins::Pin spki_pin(EVP_PKEY* key);

// The epoch where it says nothing that can be read.
base::Time not_after(const X509* certificate);

// The newest error of this thread's queue as text, and an empty queue.
std::string take_error();

// Every certificate of a PEM text, in order; nothing of it is checked, and what stands between them is passed
// over. Error "tls.pem": one that is damaged.
base::Result<std::vector<X509Ptr>> read_certificates(std::string_view pem);

}  // namespace pinnace::tls
