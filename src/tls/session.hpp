// TLS over an io::Stream, for either side: 1.2 at least, no anonymous ciphers. The process must ignore
// SIGPIPE.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "io/stream.hpp"
#include "tls/chain.hpp"
#include "tls/handshakes.hpp"
#include "tls/own_certificate.hpp"
#include "tls/resumption.hpp"
#include "tls/server_context.hpp"

namespace pinnace::tls {

struct Handshake {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  PeerChain chain;                   // empty on the server's side
  bool resumed = false;              // then the chain is that of the full handshake
  std::shared_ptr<Tickets> tickets;  // on the client's side: they come while it reads
  // On the server's side: the name that the client asked for, canonical; empty where it asked for none, or
  // for what is no name. And which of the context's identities it was shown.
  std::string server_name;
  std::size_t identity = 0;
  bool client_certificate = false;  // likewise: one was asked for and shown, and its key proven
};

class ClientContext {
 public:
  ClientContext();
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

struct ClientHello {
  std::string server_name;                                   // the SNI; empty: none
  std::optional<Ticket> resume;                              // offered: the server takes it or not
  std::optional<OwnCertificate> certificate = std::nullopt;  // shown where the server asks for one
};

// The handshake within the stream's own time limits; afterwards the stream speaks TLS. The peer has then
// proved that it holds the leaf's key, now or at the handshake that the session is resumed from, and nothing
// else: look at `chain` with verify.hpp before a word is said. Nothing may be left unread from before.
// Errors: "tls.handshake", io's own.
io::Task<base::Result<Handshake>> start_client(io::Stream& stream, ClientContext context, ClientHello hello);
// The same on the server's side, its steps on the threads of `handshakes`.
io::Task<base::Result<Handshake>> start_server(io::Stream& stream, ServerContext context,
                                               Handshakes& handshakes);

}  // namespace pinnace::tls
