#include "tls/session.hpp"

#include <fmt/format.h>

#include "tls/own_certificate_impl.hpp"
#include "tls/resumption_impl.hpp"
#include "tls/server_context_impl.hpp"

namespace pinnace::tls {

struct ClientContext::Impl {
  CtxPtr context;
};

namespace {

// OpenSSL's way to the peer. A handshake's octets are carried by hand, so that its steps can be on any
// thread; later ones go straight to the socket.
struct Wire {
  io::Socket* socket = nullptr;  // null: a handshake is under way
  std::string in;                // from the peer, not read yet
  std::string out;               // for the peer, not sent yet

  io::Outcome read(char* to, std::size_t size) {
    if (in.empty())
      return socket ? socket->recv(to, size) : io::Outcome{io::Outcome::State::want_read, 0, {}};
    const std::size_t n = in.copy(to, size);
    in.erase(0, n);
    return {io::Outcome::State::done, n, {}};
  }
  io::Outcome write(const char* from, std::size_t size) {
    if (socket) return socket->send(from, size);
    out.append(from, size);
    return {io::Outcome::State::done, size, {}};
  }
};

int bio_read(BIO* bio, char* to, std::size_t size, std::size_t* n) {
  const io::Outcome got = static_cast<Wire*>(BIO_get_data(bio))->read(to, size);
  BIO_clear_retry_flags(bio);
  if (got.state == io::Outcome::State::want_read) BIO_set_retry_read(bio);
  if (got.state == io::Outcome::State::closed) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  *n = got.bytes;
  return got.state == io::Outcome::State::done ? 1 : got.state == io::Outcome::State::closed ? 0 : -1;
}

int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* n) {
  const io::Outcome put = static_cast<Wire*>(BIO_get_data(bio))->write(from, size);
  BIO_clear_retry_flags(bio);
  if (put.state == io::Outcome::State::want_write) BIO_set_retry_write(bio);
  *n = put.bytes;
  return put.state == io::Outcome::State::done ? 1 : -1;
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* wire_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

// TLS over the stream's own socket. In the handshake it is used by one thread at a time.
class TlsTransport final : public io::Transport {
 public:
  // `tickets`: where those that arrive go; null on the server's side, where `as` is what it chooses from.
  TlsTransport(SslPtr ssl, std::shared_ptr<Tickets> tickets, std::shared_ptr<const ServerContext::Impl> as)
      : tickets_(std::move(tickets)), chosen_{std::move(as), {}, 0}, ssl_(std::move(ssl)) {
    BIO* const bio = BIO_new(wire_method());
    BIO_set_data(bio, &wire_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    if (tickets_) collect(ssl_.get(), tickets_.get());
    if (chosen_.of) choose_into(ssl_.get(), &chosen_);
  }

  Outcome read(io::Socket&, char* to, std::size_t size) override {
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), to, size, &n);
    return result == 1 ? Outcome{State::done, n, {}} : outcome(result);
  }
  Outcome write(io::Socket&, const char* from, std::size_t size) override {
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_.get(), from, size, &n);
    return result == 1 ? Outcome{State::done, n, {}} : outcome(result);
  }
  bool buffered() const override { return SSL_pending(ssl_.get()) > 0; }
  void finish(io::Socket&) override {
    if (!broken_) SSL_shutdown(ssl_.get());  // close_notify, not waited for
    ERR_clear_error();
  }
  Outcome handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    return result == 1 ? Outcome{State::done, 0, {}} : outcome(result);
  }
  void finish_handshake(io::Socket& socket) {
    wire_.socket = &socket;
    wire_.out.shrink_to_fit();
  }
  Wire& wire() { return wire_; }
  SSL* ssl() { return ssl_.get(); }
  const Chosen& chosen() const { return chosen_; }

 private:
  Outcome outcome(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return {State::want_read, 0, {}};
      case SSL_ERROR_WANT_WRITE:
        return {State::want_write, 0, {}};
      case SSL_ERROR_ZERO_RETURN:
        return {State::closed, 0, {}};
      case SSL_ERROR_SYSCALL:
        broken_ = true;
        ERR_clear_error();
        return {State::closed, 0, {}};
      default:
        break;
    }
    broken_ = true;
    // A peer that closes without close_notify ends the session like any other: SMTP has its own ends.
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return {State::closed, 0, {}};
    }
    bad_signature_ = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_BAD_SIGNATURE;
    return {State::failed, 0, take_error()};
  }

  std::shared_ptr<Tickets> tickets_;
  Chosen chosen_;
  Wire wire_;
  SslPtr ssl_;
  bool broken_ = false;

 public:
  bool bad_signature_ = false;
};

base::Error broken_off(const io::Stream& stream, const base::Error& error) {
  if (error.code == "io.timeout" || error.code == "io.interrupted") return error;
  return {"tls.handshake", stream.peer() + " closed the connection during the TLS handshake"};
}

// Says what the last step gave, and reads for the next one, if there is one.
io::Task<base::Result<>> carry(io::Stream& stream, Wire& wire, bool more) {
  const auto said = co_await stream.write_all(wire.out);
  wire.out.clear();
  if (!said) co_return std::unexpected(broken_off(stream, said.error()));
  if (!more) co_return base::Result<>{};
  char buffer[4096];
  const auto n = co_await stream.read_some(buffer, sizeof buffer);
  if (!n) co_return std::unexpected(broken_off(stream, n.error()));
  if (*n == 0) co_return std::unexpected(broken_off(stream, {"io.closed", ""}));
  wire.in.append(buffer, *n);
  co_return base::Result<>{};
}

// `elsewhere`: the threads of its steps; null: the loop's own.
io::Task<base::Result<Handshake>> shake(io::Stream& stream, std::shared_ptr<TlsTransport> transport,
                                        std::shared_ptr<Tickets> tickets, Handshakes* elsewhere) {
  for (;;) {
    base::Result<io::Outcome> step = io::Outcome();
    if (elsewhere) {
      std::function<io::Outcome()> shake_on = [transport] { return transport->handshake(); };
      step = co_await elsewhere->run(stream, std::move(shake_on));
    } else {
      step = transport->handshake();
    }
    if (!step) co_return std::unexpected(step.error());
    if (step->state == io::Outcome::State::failed) {
      // The alert, if it can be said at once.
      stream.socket().send(transport->wire().out.data(), transport->wire().out.size());
      co_return base::fail(
          "tls.handshake",
          transport->bad_signature_
              ? stream.peer() +
                    " could not prove that it holds the key of the certificate it "
                    "presented: the certificate is somebody else's"
              : fmt::format("the TLS handshake with {} failed: {}", stream.peer(), step->detail));
    }
    if (step->state == io::Outcome::State::closed)
      co_return std::unexpected(broken_off(stream, {"io.closed", ""}));
    const bool over = step->state == io::Outcome::State::done;
    const auto carried = co_await carry(stream, transport->wire(), !over);
    if (!carried) co_return std::unexpected(carried.error());
    if (over) break;
  }
  transport->finish_handshake(stream.socket());
  Handshake done;
  done.version = SSL_get_version(transport->ssl());
  done.cipher = SSL_get_cipher_name(transport->ssl());
  done.resumed = SSL_session_reused(transport->ssl()) == 1;
  if (tickets) done.chain = presented_chain(transport->ssl());
  if (tickets && !resumption_is_safe(transport->ssl())) tickets->arrived.clear();
  done.tickets = std::move(tickets);
  done.server_name = transport->chosen().server_name;
  done.identity = transport->chosen().identity;
  done.client_certificate = transport->chosen().of && SSL_get0_peer_certificate(transport->ssl());
  stream.set_transport(transport);
  co_return done;
}

}  // namespace

ClientContext::ClientContext() {
  auto made = std::make_shared<Impl>();
  made->context.reset(SSL_CTX_new(TLS_client_method()));
  set_defaults(made->context.get());
  // The chain is judged after the handshake, by verify.hpp; the handshake's own signature always is in it.
  SSL_CTX_set_verify(made->context.get(), SSL_VERIFY_NONE, nullptr);
  take_tickets(made->context.get());
  // Deliveries are few and busy: their buffers stay.
  SSL_CTX_clear_mode(made->context.get(), SSL_MODE_RELEASE_BUFFERS);
  impl_ = std::move(made);
}

io::Task<base::Result<Handshake>> start_client(io::Stream& stream, ClientContext context, ClientHello hello) {
  SslPtr ssl(SSL_new(context.impl().context.get()));
  SSL_set_connect_state(ssl.get());
  if (!hello.server_name.empty()) SSL_set_tlsext_host_name(ssl.get(), hello.server_name.c_str());
  if (hello.certificate && !use(ssl.get(), *hello.certificate))
    co_return base::fail("tls.certificate", "the client certificate cannot be used: " + take_error());
  if (hello.resume) SSL_set_session(ssl.get(), hello.resume->impl().session.get());
  auto tickets = std::make_shared<Tickets>();
  auto transport = std::make_shared<TlsTransport>(std::move(ssl), tickets, nullptr);
  co_return co_await shake(stream, std::move(transport), std::move(tickets), nullptr);
}

io::Task<base::Result<Handshake>> start_server(io::Stream& stream, ServerContext context,
                                               Handshakes& handshakes) {
  SslPtr ssl(SSL_new(context.impl()->contexts.front().get()));
  SSL_set_accept_state(ssl.get());
  auto transport = std::make_shared<TlsTransport>(std::move(ssl), nullptr, context.impl());
  std::shared_ptr<Tickets> none;
  co_return co_await shake(stream, std::move(transport), std::move(none), &handshakes);
}

}  // namespace pinnace::tls
