#include "tls/verify.hpp"

#include <fmt/format.h>

#include "tls/chain_impl.hpp"

namespace pinnace::tls {
namespace {

// RFC 7671 5: usage, selector, matching type.
constexpr uint8_t kDaneTa = 2, kDaneEe = 3, kCert = 0, kSpki = 1, kFull = 0, kSha256 = 1;

SSL_CTX* dane_context() {
  static const CtxPtr context = [] {
    CtxPtr made(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_dane_enable(made.get());
    return made;
  }();
  return context.get();
}

void add_pin(SSL* ssl, const pins::Pin& pin, bool with_names, const TrustStore* roots) {
  auto* hash = const_cast<unsigned char*>(pin.sha256.data());
  SSL_dane_tlsa_add(ssl, kDaneEe, kSpki, kSha256, hash, pin.sha256.size());
  if (!with_names) return;
  SSL_dane_tlsa_add(ssl, kDaneTa, kSpki, kSha256, hash, pin.sha256.size());
  if (!roots) return;
  // A root that the peer need not send is given whole, as RFC 7671 5.2.2 has it for "2 0 0": so the
  // PKIX usages are not needed (docs/decisions/0002-pins-as-dane-records.md).
  const auto root = roots->impl().by_pin.find(pin);
  if (root == roots->impl().by_pin.end()) return;
  unsigned char* der = nullptr;
  const int size = i2d_X509(root->second, &der);
  if (size > 0) SSL_dane_tlsa_add(ssl, kDaneTa, kCert, kFull, der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
}

struct StackDeleter {
  void operator()(STACK_OF(X509) * s) const { sk_X509_free(s); }
};
using StackPtr = std::unique_ptr<STACK_OF(X509), StackDeleter>;

// The chain as OpenSSL takes it; the certificates stay ours.
StackPtr presented(const PeerChain& chain) {
  StackPtr stack(sk_X509_new_null());
  for (const auto& c : chain.impl().certificates) sk_X509_push(stack.get(), c.get());
  return stack;
}

void set_time(X509_VERIFY_PARAM* param, base::Time at) {
  X509_VERIFY_PARAM_set_time(param, std::chrono::duration_cast<base::Seconds>(at.time_since_epoch()).count());
}

}  // namespace

PinMatch match_pins(const PeerChain& chain, std::span<const pins::Pin> pins,
                    std::span<const std::string> names, const TrustStore* roots, base::Time at) {
  PinMatch out;
  if (chain.empty()) {
    out.reason = "no certificate was presented";
    return out;
  }
  if (pins.empty()) {
    out.reason = "there is no pin that is still in force";
    return out;
  }
  const SslPtr ssl(SSL_new(dane_context()));
  SSL_dane_enable(ssl.get(), names.empty() ? "invalid" : names.front().c_str());
  // RFC 7671 5.1: under DANE-EE(3) neither name nor dates of the leaf are looked at.
  SSL_dane_set_flags(ssl.get(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  for (std::size_t i = 1; i < names.size(); ++i) SSL_add1_host(ssl.get(), names[i].c_str());
  for (const pins::Pin& pin : pins) add_pin(ssl.get(), pin, !names.empty(), roots);

  const StackPtr stack = presented(chain);
  const StorePtr nothing(X509_STORE_new());
  const StoreCtxPtr ctx(X509_STORE_CTX_new());
  X509_STORE_CTX_init(ctx.get(), nothing.get(), chain.impl().certificates[0].get(), stack.get());
  X509_STORE_CTX_set0_dane(ctx.get(), SSL_get0_dane(ssl.get()));
  X509_STORE_CTX_set_default(ctx.get(), "ssl_server");
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(ctx.get());
  X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl.get()));
  set_time(param, at);
  const int verified = X509_verify_cert(ctx.get());
  const int error = X509_STORE_CTX_get_error(ctx.get());
  X509* authority = nullptr;
  const int depth = SSL_get0_dane_authority(ssl.get(), &authority, nullptr);
  ERR_clear_error();
  if (verified == 1 && error == X509_V_OK && depth >= 0 && authority) {
    // OpenSSL leaves out the dates of a trust anchor that is not self-signed; ours must hold too.
    if (depth > 0 &&
        X509_cmp_timeframe(param, X509_get0_notBefore(authority), X509_get0_notAfter(authority)) != 0) {
      out.reason = "the chain does not hold: the pinned CA's own certificate is not valid at this time";
      return out;
    }
    out.ok = true;
    out.by_ca = depth > 0;
    out.matched = spki_pin(authority);
    out.reason = out.by_ca ? "a pinned CA's key signed the chain, and the leaf has the right name"
                           : "the leaf's key is pinned";
    return out;
  }
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH: {
      std::string all;
      for (const auto& n : names) all += (all.empty() ? "" : " or ") + n;
      out.reason =
          fmt::format("a pinned CA's key is in the chain, but the leaf does not bear the name {}", all);
      break;
    }
    case X509_V_ERR_DANE_NO_MATCH:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_OK:
      out.reason = "neither the leaf's key nor that of a CA above it is pinned";
      break;
    default:
      out.reason = fmt::format("the chain does not hold: {}", X509_verify_cert_error_string(error));
  }
  return out;
}

std::vector<pins::Pin> matching_pins(const PeerChain& chain, std::span<const pins::Pin> pins,
                                     std::span<const std::string> names, const TrustStore* roots,
                                     base::Time at) {
  std::vector<pins::Pin> out;
  for (const pins::Pin& pin : pins) {
    if (match_pins(chain, {&pin, 1}, names, roots, at).ok) out.push_back(pin);
  }
  return out;
}

std::string webpki_problem(const PeerChain& chain, const std::string& name, const TrustStore& roots,
                           base::Time at) {
  if (chain.empty()) return "no certificate was presented";
  const StackPtr stack = presented(chain);
  const StoreCtxPtr ctx(X509_STORE_CTX_new());
  X509_STORE_CTX_init(ctx.get(), roots.impl().store.get(), chain.impl().certificates[0].get(), stack.get());
  X509_STORE_CTX_set_default(ctx.get(), "ssl_server");
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(ctx.get());
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size());
  set_time(param, at);
  const int verified = X509_verify_cert(ctx.get());
  const int error = X509_STORE_CTX_get_error(ctx.get());
  ERR_clear_error();
  if (verified == 1 && error == X509_V_OK) return {};
  return X509_verify_cert_error_string(error);
}

}  // namespace pinnace::tls
