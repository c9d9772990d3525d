#include "tls/https.hpp"

#include "tls/chain_impl.hpp"

namespace pinnace::tls {
namespace {

// What went wrong on the way would hide from the library that it was the certificate.
int verify(X509_STORE_CTX* ctx, void*) {
  const int verified = X509_verify_cert(ctx);
  ERR_clear_error();
  return verified;
}

}  // namespace

bool verify_https(void* ssl_ctx, const TrustStore& roots, const std::string& host) {
  auto* context = static_cast<SSL_CTX*>(ssl_ctx);
  // A store of its own: the library may still set flags on it, and ours is shared among threads.
  const StorePtr store(X509_STORE_new());
  for (const X509Ptr& root : roots.impl().roots) X509_STORE_add_cert(store.get(), root.get());
  SSL_CTX_set1_cert_store(context, store.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
  X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const bool ready = !host.empty() && X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1 &&
                     SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
  ERR_clear_error();
  return ready;
}

}  // namespace pinnace::tls
