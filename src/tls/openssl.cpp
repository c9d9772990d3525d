#include "tls/openssl.hpp"

#include <openssl/evp.h>

#include <ctime>

namespace pinnace::tls {
namespace {

pins::Pin hash_spki(unsigned char* der, int size) {
  pins::Pin pin;
  unsigned int n = 0;
  if (size > 0) {
    EVP_Digest(der, static_cast<std::size_t>(size), pin.sha256.data(), &n, EVP_sha256(), nullptr);
  }
  OPENSSL_free(der);
  return pin;
}

}  // namespace

void set_defaults(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_cipher_list(
      context,
      "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AES:!aNULL:!eNULL:!MD5:!DSS:!SRP:!PSK");
  SSL_CTX_set_max_cert_list(context, 64 << 10);
  // One read for a record, not two. We always ask OpenSSL before we wait for the descriptor.
  SSL_CTX_set_read_ahead(context, 1);
}

pins::Pin spki_pin(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  return hash_spki(der, size);
}

pins::Pin spki_pin(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  return hash_spki(der, size);
}

base::Time not_after(const X509* certificate) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) return {};
  return base::Time(base::Seconds(timegm(&tm)));
}

std::string take_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "error " + std::to_string(code);
}

base::Result<std::vector<X509Ptr>> read_certificates(std::string_view pem) {
  std::vector<X509Ptr> out;
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* one = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) out.emplace_back(one);
  // So it ends where no more PEM is to come.
  const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!end) {
    return base::fail("tls.pem", "certificate " + std::to_string(out.size() + 1) +
                                     " in it is damaged: export it again, in PEM");
  }
  return out;
}

}  // namespace pinnace::tls
