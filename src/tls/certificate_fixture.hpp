// Certificates made on the spot. For tests only.
#pragma once

#include <openssl/evp.h>

#include <string>

#include "tls/chain.hpp"
#include "tls/openssl.hpp"

namespace pinnace::tls::testing_certificates {

inline constexpr long kDay = 86400;

struct Certificate {
  X509Ptr x509;
  KeyPtr key;

  pins::Pin pin() const { return spki_pin(x509.get()); }
  std::string pem() const {
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), x509.get());
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
  std::string key_pem() const {
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
};

struct Request {
  std::string common_name;
  std::string san;  // "DNS:mx.x.test"
  bool ca = false;
  long from = -kDay;  // seconds from now
  long until = 100 * kDay;
  unsigned rsa_bits = 0;  // 0: a key on P-256
};

inline void add_extension(X509* x509, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself where there is none.
inline Certificate make(const Request& request, const Certificate* issuer = nullptr) {
  static long serial = 1;
  Certificate made;
  made.key.reset(request.rsa_bits ? EVP_RSA_gen(request.rsa_bits) : EVP_EC_gen("P-256"));
  made.x509.reset(X509_new());
  X509* x = made.x509.get();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), request.from);
  X509_gmtime_adj(X509_getm_notAfter(x), request.until);
  X509_set_pubkey(x, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(request.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->x509.get() : x));
  add_extension(x, NID_basic_constraints, request.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (request.ca) add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
  if (!request.san.empty()) add_extension(x, NID_subject_alt_name, request.san);
  X509_sign(x, issuer ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

inline PeerChain chain_of(std::initializer_list<const Certificate*> certificates) {
  std::string pem;
  for (const Certificate* c : certificates) pem += c->pem();
  return PeerChain::from_pem(pem).value();
}

inline TrustStore roots_of(const Certificate& root) { return TrustStore::from_pem(root.pem()).value(); }

}  // namespace pinnace::tls::testing_certificates
