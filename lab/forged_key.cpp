#include "forged_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include <array>
#include <memory>

namespace lab {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* params) const { OSSL_PARAM_free(params); }
  void operator()(BIGNUM* number) const { BN_free(number); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

}  // namespace

bool use_forged_key(SSL_CTX* context) {
  X509* certificate = SSL_CTX_get0_certificate(context);
  EVP_PKEY* real = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
  std::array<unsigned char, 65> point{};  // P-256, uncompressed
  std::size_t size = 0;
  if (real == nullptr || EVP_PKEY_get_octet_string_param(real, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                                         point.size(), &size) != 1) {
    return false;
  }
  Owned<BIGNUM> scalar(BN_new());
  BN_set_word(scalar.get(), 0x5EED);
  Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), size);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get());
  Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder.get()));
  Owned<EVP_PKEY_CTX> maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_KEYPAIR, params.get()) != 1) {
    return false;
  }
  Owned<EVP_PKEY> forged(made);
  return SSL_CTX_use_PrivateKey(context, forged.get()) == 1;
}

}  // namespace lab
