#include "tls/verify.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "names/domain.hpp"
#include "tls/chain_impl.hpp"

namespace pinnace::tls {
namespace {

SSL_CTX* dane_context() {
  static const CtxPtr context = [] {
    CtxPtr made(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_dane_enable(made.get());
    return made;
  }();
  return context.get();
}

// RFC 7672 3.2.3, RFC 8461 4.2: a SAN dNSName it must be, its wildcard a whole first label. The subject's CN
// is never a name (docs/decisions/0002-pins-as-dane-records.md).
constexpr unsigned kNameFlags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

// Reference identifiers as RFC 6125 6.4 compares them: in A-labels, no dot at the end. What is no domain
// name, such as an address, is nobody's name: OpenSSL would take "" for any name and ".x.test" for all below
// it.
std::vector<std::string> references(std::span<const std::string> names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (const auto domain = names::Domain::parse(name)) out.push_back(domain->str());
  }
  return out;
}

bool add(SSL* ssl, const dane::Tlsa& r) {
  const auto* data = reinterpret_cast<const unsigned char*>(r.data.data());
  const int added = SSL_dane_tlsa_add(ssl, r.usage, r.selector, r.matching, const_cast<unsigned char*>(data),
                                      r.data.size());
  ERR_clear_error();
  return added == 1;
}

// A pin as TLSA records: of the leaf, and where names are known of a CA above it.
void add_records(std::vector<dane::Tlsa>& to, const pins::Pin& pin, bool with_names,
                 const TrustStore* roots) {
  const std::string hash(reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size());
  to.push_back({dane::kDaneEe, dane::kSpki, dane::kSha256, hash, true});
  if (!with_names) return;
  to.push_back({dane::kDaneTa, dane::kSpki, dane::kSha256, hash, true});
  if (!roots) return;
  // A root that the peer need not send is given whole, as RFC 7671 5.2.2 has it for "2 0 0": so the
  // PKIX usages are not needed (docs/decisions/0002-pins-as-dane-records.md).
  const auto root = roots->impl().by_pin.find(pin);
  if (root == roots->impl().by_pin.end()) return;
  unsigned char* der = nullptr;
  const int size = i2d_X509(root->second, &der);
  if (size > 0) {
    to.push_back({dane::kDaneTa, dane::kCert, dane::kFull,
                  std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)), true});
  }
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

// The earliest end of the certificates that a verification went by.
base::Time earliest_end(const X509_STORE_CTX* ctx) {
  base::Time out = base::Time::max();
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(ctx);
  for (int i = 0; i < sk_X509_num(chain); ++i) out = std::min(out, not_after(sk_X509_value(chain, i)));
  return out;
}

std::string pem_of(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

// What OpenSSL's DANE verification says of a chain.
struct Verified {
  bool ok = false;
  int depth = -1;                  // of the certificate that matched; 0: the leaf
  std::optional<Authority> above;  // where it is not
  std::optional<pins::Pin> key;
  std::optional<dane::Tlsa> record;
  bool authority_in_time = true;
  std::string reason;
};

std::string reason_of(int error, std::span<const std::string> names) {
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH: {
      std::string all;
      for (const auto& n : names) all += (all.empty() ? "" : " or ") + n;
      return fmt::format("the CA's key is the right one, but the leaf does not bear the name {}", all);
    }
    case X509_V_ERR_DANE_NO_MATCH:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_OK:
      return "neither the leaf's key nor that of a CA above it is the one that was promised";
    default:
      return fmt::format("the chain does not hold: {}", X509_verify_cert_error_string(error));
  }
}

Verified verify_dane(const PeerChain& chain, const std::vector<dane::Tlsa>& records,
                     std::span<const std::string> given, base::Time at) {
  const std::vector<std::string> names = references(given);
  const SslPtr ssl(SSL_new(dane_context()));
  SSL_dane_enable(ssl.get(), names.empty() ? "invalid" : names.front().c_str());
  // RFC 7671 5.1: under DANE-EE(3) neither name nor dates of the leaf are looked at.
  SSL_dane_set_flags(ssl.get(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  SSL_set_hostflags(ssl.get(), kNameFlags);
  for (std::size_t i = 1; i < names.size(); ++i) SSL_add1_host(ssl.get(), names[i].c_str());
  for (const dane::Tlsa& record : records) {
    if (record.usage == dane::kDaneEe || !names.empty()) add(ssl.get(), record);
  }
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
  EVP_PKEY* key = nullptr;
  Verified out;
  out.depth = SSL_get0_dane_authority(ssl.get(), &authority, &key);
  ERR_clear_error();
  out.ok = verified == 1 && error == X509_V_OK && out.depth >= 0;
  if (!out.ok) {
    out.reason = reason_of(error, names);
    return out;
  }
  if (authority) out.key = spki_pin(authority);
  if (out.depth > 0) out.above = {out.depth, authority ? pem_of(authority) : "", earliest_end(ctx.get())};
  // OpenSSL leaves out the dates of a trust anchor that is not self-signed.
  out.authority_in_time =
      out.depth == 0 || !authority ||
      X509_cmp_timeframe(param, X509_get0_notBefore(authority), X509_get0_notAfter(authority)) == 0;
  std::uint8_t usage = 0, selector = 0, matching = 0;
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  SSL_get0_dane_tlsa(ssl.get(), &usage, &selector, &matching, &data, &size);
  if (data) {
    out.record =
        dane::Tlsa{usage, selector, matching, std::string(reinterpret_cast<const char*>(data), size), true};
  }
  return out;
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
  std::vector<dane::Tlsa> records;
  for (const pins::Pin& pin : pins) add_records(records, pin, !names.empty(), roots);
  const Verified found = verify_dane(chain, records, names, at);
  if (!found.ok || !found.key) {
    out.reason = found.reason;
  } else if (!found.authority_in_time) {
    // A pinned CA's own dates must hold too.
    out.reason = "the chain does not hold: the pinned CA's own certificate is not valid at this time";
  } else {
    out.ok = true;
    out.by_ca = found.depth > 0;
    out.authority = found.above;
    out.matched = found.key;
    out.reason = out.by_ca ? "a pinned CA's key signed the chain, and the leaf has the right name"
                           : "the leaf's key is pinned";
  }
  return out;
}

TlsaMatch match_tlsa(const PeerChain& chain, const std::vector<dane::Tlsa>& records,
                     std::span<const std::string> names, base::Time at) {
  TlsaMatch out;
  const std::vector<dane::Tlsa> usable = dane::usable(records);
  if (chain.empty() || usable.empty()) {
    out.reason = chain.empty() ? "no certificate was presented" : "no TLSA record is usable";
    return out;
  }
  const Verified found = verify_dane(chain, usable, names, at);
  if (found.ok && !found.authority_in_time) {
    // RFC 7671 5.2: under DANE-TA(2) dates count, the anchor's own too, self-signed or not.
    out.reason = "the chain does not hold: the CA's own certificate is not valid at this time";
    return out;
  }
  out.ok = found.ok;
  out.matched = found.record;
  out.authority = found.above;
  out.reason = found.ok ? fmt::format("TLSA {} matches {}", found.record ? found.record->str() : "",
                                      found.depth > 0 ? "a CA of the chain" : "the leaf")
                        : found.reason;
  return out;
}

bool well_formed(const dane::Tlsa& record) {
  if (record.matching != dane::kFull || record.usage > dane::kDaneEe || record.selector > dane::kSpki)
    return true;
  const SslPtr ssl(SSL_new(dane_context()));
  SSL_dane_enable(ssl.get(), "invalid");
  return add(ssl.get(), record);
}

bool name_matches(const std::vector<std::string>& dns_names, const std::string& host) {
  const X509Ptr certificate(X509_new());
  GENERAL_NAMES* presented = sk_GENERAL_NAME_new_null();
  for (const std::string& text : dns_names) {
    ASN1_IA5STRING* string = ASN1_IA5STRING_new();
    ASN1_STRING_set(string, text.data(), static_cast<int>(text.size()));
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_DNS, string);
    sk_GENERAL_NAME_push(presented, name);
  }
  X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, presented, 0, X509V3_ADD_DEFAULT);
  sk_GENERAL_NAME_pop_free(presented, GENERAL_NAME_free);
  const auto reference = names::Domain::parse(host);
  const bool matches = reference && X509_check_host(certificate.get(), reference->str().data(),
                                                    reference->str().size(), kNameFlags, nullptr) == 1;
  ERR_clear_error();
  return matches;
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

Vouched vouched(const PeerChain& chain, const std::string& name, const TrustStore& roots, base::Time at) {
  if (chain.empty()) return {"no certificate was presented", {}};
  const auto reference = names::Domain::parse(name);
  if (!reference) return {reference.error().detail, {}};
  const StackPtr stack = presented(chain);
  const StoreCtxPtr ctx(X509_STORE_CTX_new());
  X509_STORE_CTX_init(ctx.get(), roots.impl().store.get(), chain.impl().certificates[0].get(), stack.get());
  X509_STORE_CTX_set_default(ctx.get(), "ssl_server");
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(ctx.get());
  X509_VERIFY_PARAM_set_hostflags(param, kNameFlags);
  X509_VERIFY_PARAM_set1_host(param, reference->str().data(), reference->str().size());
  set_time(param, at);
  const int verified = X509_verify_cert(ctx.get());
  const int error = X509_STORE_CTX_get_error(ctx.get());
  ERR_clear_error();
  if (verified == 1 && error == X509_V_OK) return {{}, earliest_end(ctx.get())};
  return {X509_verify_cert_error_string(error), {}};
}

std::string webpki_problem(const PeerChain& chain, const std::string& name, const TrustStore& roots,
                           base::Time at) {
  return vouched(chain, name, roots, at).problem;
}

}  // namespace pinnace::tls
