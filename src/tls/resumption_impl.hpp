// What the tls folder's own sources share of tickets.
#pragma once

#include "tls/openssl.hpp"
#include "tls/resumption.hpp"

namespace pinnace::tls {

using SslSessionPtr = std::unique_ptr<SSL_SESSION, Deleter<SSL_SESSION_free>>;

struct Ticket::Impl {
  SslSessionPtr session;
  PeerChain chain;
};

// What the peer of a connection presented; of a resumed one, at its full handshake.
PeerChain presented_chain(SSL* ssl);

// Connections of `context` take the tickets they are given, if collect() was called for them.
void take_tickets(SSL_CTX* context);
void collect(SSL* ssl, Tickets* to);  // must outlive the connection
bool resumption_is_safe(SSL* ssl);    // of the session that its handshake made

}  // namespace pinnace::tls
