// TLS over an io::Stream, for either side: 1.2 at least, no anonymous ciphers. The process must ignore
// SIGPIPE.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "io/stream.hpp"
#include "tls/chain.hpp"
#include "tls/resumption.hpp"

namespace pinnace::tls {

struct Handshake {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  PeerChain chain;                   // empty on the server's side
  bool resumed = false;              // then the chain is that of the full handshake
  std::shared_ptr<Tickets> tickets;  // on the client's side: they come while it reads
};

class ClientContext {
 public:
  ClientContext();
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

class ServerContext {
 public:
  // PEM: the leaf first, then what is above it; and its key. Errors "tls.certificate", "tls.key" name the
  // file.
  static base::Result<ServerContext> load(const std::string& certificate_file, const std::string& key_file);
  const PeerChain& chain() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit ServerContext(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// The pin of a PEM file with a private key, a public key or a certificate. Error "tls.key".
base::Result<pins::Pin> pin_of_file(const std::string& file);

struct ClientHello {
  std::string server_name;       // the SNI; empty: none
  std::optional<Ticket> resume;  // offered: the server takes it or not
};

// The handshake within the stream's own time limits; afterwards the stream speaks TLS. The peer has then
// proved that it holds the leaf's key, now or at the handshake that the session is resumed from, and nothing
// else: look at `chain` with verify.hpp before a word is said. Nothing may be left unread from before.
// Errors: "tls.handshake", io's own.
io::Task<base::Result<Handshake>> start_client(io::Stream& stream, ClientContext context, ClientHello hello);
io::Task<base::Result<Handshake>> start_server(io::Stream& stream, ServerContext context);

}  // namespace pinnace::tls
