// What the tls folder's own sources share of a listener's certificates.
#pragma once

#include "names/mx_pattern.hpp"
#include "tls/openssl.hpp"
#include "tls/server_context.hpp"

namespace pinnace::tls {

struct ServerContext::Impl {
  std::vector<Identity> identities;
  ServerPolicy policy;
  std::vector<std::vector<names::MxPattern>> names;  // of each one's certificates
  std::vector<CtxPtr> contexts;                      // one each; a handshake begins with the first
};

// What came of one handshake's choice.
struct Chosen {
  std::shared_ptr<const ServerContext::Impl> of;  // null on a client's side
  std::string server_name;
  std::size_t identity = 0;
};

// `to` outlives the handshake.
void choose_into(SSL* ssl, Chosen* to);

}  // namespace pinnace::tls
