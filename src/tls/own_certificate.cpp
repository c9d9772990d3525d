#include "tls/own_certificate.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tls/own_certificate_impl.hpp"

namespace pinnace::tls {
namespace {

base::Result<std::string> read_file(const std::string& file, std::string_view code) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    const int why = errno;
    return base::fail(why == EACCES ? "tls.permission" : code,
                      fmt::format("cannot read {}: {}", file, std::strerror(why)));
  }
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

// Never asks for a passphrase: a service has nobody to ask.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

base::Result<KeyPtr> read_private_key(std::string_view pem, const std::string& file) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, &asked));
  ERR_clear_error();
  if (key) return key;
  return base::fail("tls.key",
                    asked ? fmt::format("the key in {} is protected by a passphrase: a service needs it "
                                        "without one, in a file that only it can read",
                                        file)
                          : fmt::format("there is no private key in {}: PEM is expected", file));
}

struct StackDeleter {
  void operator()(STACK_OF(X509) * s) const { sk_X509_free(s); }
};

// What stands above the leaf; the certificates stay ours.
std::unique_ptr<STACK_OF(X509), StackDeleter> above_leaf(const OwnCertificate& certificate) {
  std::unique_ptr<STACK_OF(X509), StackDeleter> out(sk_X509_new_null());
  const auto& all = certificate.impl().chain.impl().certificates;
  for (std::size_t i = 1; i < all.size(); ++i) sk_X509_push(out.get(), all[i].get());
  return out;
}

X509* leaf(const OwnCertificate& certificate) {
  return certificate.impl().chain.impl().certificates.front().get();
}

}  // namespace

bool use(SSL_CTX* context, const OwnCertificate& c) {
  return SSL_CTX_use_cert_and_key(context, leaf(c), c.impl().key.get(), above_leaf(c).get(), 1) == 1;
}

bool use(SSL* ssl, const OwnCertificate& c) {
  return SSL_use_cert_and_key(ssl, leaf(c), c.impl().key.get(), above_leaf(c).get(), 1) == 1;
}

base::Result<OwnCertificate> OwnCertificate::load(const std::string& certificate_file,
                                                  const std::string& key_file) {
  const auto certificate = read_file(certificate_file, "tls.certificate");
  if (!certificate) return std::unexpected(certificate.error());
  // Where one file holds both it is read once: another may take its place at any moment.
  const auto key = key_file == certificate_file ? certificate : read_file(key_file, "tls.key");
  if (!key) return std::unexpected(key.error());
  return from_pem(*certificate, *key, certificate_file, key_file);
}

base::Result<OwnCertificate> OwnCertificate::from_pem(std::string_view certificate, std::string_view key_pem,
                                                      const std::string& certificate_file,
                                                      const std::string& key_file) {
  auto chain = PeerChain::from_pem(certificate);
  if (!chain) return base::fail("tls.certificate", certificate_file + ": " + chain.error().detail);
  auto key = read_private_key(key_pem, key_file);
  if (!key) return std::unexpected(key.error());
  if (X509_check_private_key(chain->impl().certificates.front().get(), key->get()) != 1) {
    ERR_clear_error();
    return base::fail("tls.key", fmt::format("the key in {} is not that of the certificate in {}", key_file,
                                             certificate_file));
  }
  OwnCertificate out(std::make_shared<const Impl>(Impl{std::move(*chain), std::move(*key)}));
  const CtxPtr trial(SSL_CTX_new(TLS_method()));
  if (!use(trial.get(), out)) {
    return base::fail("tls.certificate",
                      fmt::format("{} cannot be used: {}", certificate_file, take_error()));
  }
  return out;
}

const PeerChain& OwnCertificate::chain() const { return impl_->chain; }

std::string OwnCertificate::pem() const {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  for (const X509Ptr& one : impl_->chain.impl().certificates) PEM_write_bio_X509(out.get(), one.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string OwnCertificate::fingerprint() const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  X509_digest(leaf(*this), EVP_sha256(), digest, &size);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string OwnCertificate::key_algorithm() const {
  const char* const name = EVP_PKEY_get0_type_name(impl_->key.get());
  return name ? name : "";
}

base::Result<pins::Pin> pin_of_file(const std::string& file) {
  auto pem = read_file(file, "tls.key");
  if (!pem) return std::unexpected(pem.error());
  if (const auto certificates = read_certificates(*pem); certificates && !certificates->empty()) {
    return spki_pin((*certificates)[0].get());
  }
  const BioPtr in(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  const KeyPtr public_key(PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (public_key) return spki_pin(public_key.get());
  auto key = read_private_key(*pem, file);
  if (!key) return std::unexpected(key.error());
  return spki_pin(key->get());
}

}  // namespace pinnace::tls
