// What a listener shows: its certificates, chosen by the name that the client asks for (RFC 6066 3) and by
// the signature algorithms that it takes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tls/own_certificate.hpp"

namespace pinnace::tls {

// Who a listener is by one name.
struct Identity {
  std::string hostname;                      // canonical; empty: by the names in its certificates alone
  std::vector<OwnCertificate> certificates;  // one at least, each with a key of another algorithm
};

struct ServerPolicy {
  // TLS 1.2 with nothing but ECDHE and AEAD (RFC 9325 4.2); else also what older clients know.
  bool modern_ciphers = false;
  bool ask_client_certificate = false;  // any will do, and none
};

class ServerContext {
 public:
  explicit ServerContext(OwnCertificate certificate);
  // As OwnCertificate::load.
  static base::Result<ServerContext> load(const std::string& certificate_file, const std::string& key_file);
  // One at least; the first is shown to a client that asks for no name, or for one that is nobody's: RFC 8461
  // 7.1 and RFC 7672 8.1 have it see some chain, and no alert. Error "tls.certificate": two certificates of
  // one identity have keys of one algorithm, so one would never be shown.
  static base::Result<ServerContext> of(std::vector<Identity> identities, ServerPolicy policy = {});

  const std::vector<Identity>& identities() const;
  const PeerChain& chain() const;  // the first's first

  // Whose name it is, canonical: by hostname, else by a certificate's dNSName, else by its wildcard.
  std::size_t identity_for(const std::string& server_name) const;

  // Sessions are resumed by tickets that only their own context can read, and under the identity that they
  // began with. What a thief of these keys can read of recorded sessions ends where a new context takes over;
  // sessions under way keep the old one.
  ServerContext with_new_ticket_keys() const;

  struct Impl;
  const std::shared_ptr<const Impl>& impl() const { return impl_; }

 private:
  explicit ServerContext(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pinnace::tls
