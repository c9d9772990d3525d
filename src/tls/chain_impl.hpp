// What the tls folder's own sources share of chains and trust stores.
#pragma once

#include <map>

#include "tls/chain.hpp"
#include "tls/openssl.hpp"

namespace pinnace::tls {

struct PeerChain::Impl {
  std::vector<X509Ptr> certificates;
};

struct TrustStore::Impl {
  StorePtr store;
  std::vector<X509Ptr> roots;
  std::map<pins::Pin, X509*> by_pin;
};

}  // namespace pinnace::tls
