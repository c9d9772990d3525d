#include "tls/chain.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "tls/chain_impl.hpp"

namespace pinnace::tls {
namespace {

std::string name_text(const X509_NAME* name) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return size > 0 ? std::string(data, std::min<std::size_t>(static_cast<std::size_t>(size), 300))
                  : "(no name)";
}

}  // namespace

PeerChain::PeerChain() : impl_(std::make_shared<Impl>()) {}
PeerChain::PeerChain(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

base::Result<PeerChain> PeerChain::from_pem(std::string_view pem) {
  auto impl = std::make_shared<Impl>();
  auto certificates = read_certificates(pem);
  if (!certificates) return base::fail("tls.chain", certificates.error().detail);
  impl->certificates = std::move(*certificates);
  if (impl->certificates.empty()) {
    return base::fail("tls.chain", "there is no certificate in it: PEM is expected, the leaf first");
  }
  return PeerChain(std::move(impl));
}

bool PeerChain::empty() const { return impl_->certificates.empty(); }

std::vector<pins::Pin> PeerChain::pins() const {
  std::vector<pins::Pin> out;
  for (const auto& c : impl_->certificates) out.push_back(spki_pin(c.get()));
  return out;
}

std::string PeerChain::subject() const {
  return empty() ? "(no certificate)" : name_text(X509_get_subject_name(impl_->certificates[0].get()));
}

std::string PeerChain::issuer() const {
  return empty() ? "(no certificate)" : name_text(X509_get_issuer_name(impl_->certificates[0].get()));
}

base::Time PeerChain::not_after() const {
  return empty() ? base::Time{} : tls::not_after(impl_->certificates[0].get());
}

std::string PeerChain::certificate_sha256() const {
  unsigned char digest[32];
  unsigned int size = 0;
  if (empty() || X509_digest(impl_->certificates[0].get(), EVP_sha256(), digest, &size) != 1) return {};
  return {reinterpret_cast<const char*>(digest), size};
}

std::vector<std::string> PeerChain::dns_names() const {
  std::vector<std::string> out;
  if (empty()) return out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(impl_->certificates[0].get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                     static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

TrustStore::TrustStore(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

base::Result<TrustStore> TrustStore::from_pem(std::string_view pem) {
  auto impl = std::make_shared<Impl>();
  impl->store.reset(X509_STORE_new());
  auto roots = read_certificates(pem);
  if (!roots) return base::fail("tls.roots", roots.error().detail);
  impl->roots = std::move(*roots);
  for (const auto& root : impl->roots) {
    X509_STORE_add_cert(impl->store.get(), root.get());
    impl->by_pin.emplace(spki_pin(root.get()), root.get());
  }
  ERR_clear_error();
  if (impl->roots.empty()) return base::fail("tls.roots", "there is no certificate in it: PEM is expected");
  return TrustStore(std::move(impl));
}

base::Result<TrustStore> TrustStore::load(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream read;
  // A directory opens and cannot be read.
  if (in && in.peek() != std::ifstream::traits_type::eof()) read << in.rdbuf();
  if (!in.is_open() || in.bad()) {
    return base::fail("tls.roots", fmt::format("cannot read the trust anchors in {}", file));
  }
  const std::string pem = read.str();
  auto store = from_pem(pem);
  if (!store) return base::fail("tls.roots", fmt::format("{}: {}", file, store.error().detail));
  return store;
}

TrustStore TrustStore::system() {
  if (auto store = load("/etc/ssl/certs/ca-certificates.crt")) return *store;
  auto impl = std::make_shared<Impl>();
  impl->store.reset(X509_STORE_new());
  return TrustStore(std::move(impl));
}

}  // namespace pinnace::tls
