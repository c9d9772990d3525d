#include "gate/gate.hpp"

#include "base/log.hpp"
#include "gate/backend.hpp"
#include "smtp/server.hpp"

namespace pinnace::gate {

using Kind = smtp::Server::Kind;
using smtp::Reply;

namespace {

constexpr auto kGoodbye = std::chrono::seconds(10);  // to take in why its session ends

}  // namespace

// One client's session and the backend's beside it.
struct Gate::Session {
  Session(io::Loop& l, const Settings& s, io::Stream c) : loop(l), settings(s), stream(std::move(c)) {}

  io::Loop& loop;
  const Settings& settings;
  io::Stream stream;
  Client client;
  std::unique_ptr<Backend> backend;
  std::optional<smtp::Server> server;
  bool in_transaction = false;
  bool in_body = false;
  io::Steady::time_point ends;
  std::optional<io::Pace> pace;  // in a body

  void allow(base::Milliseconds time) {
    ends = io::Steady::now() + time;
    end_pace();
  }
  // A session may be as long as it brings mail.
  void extend_deadline() { allow(settings.transaction_timeout); }
  void end_pace() {
    pace.reset();
    stream.set_deadline(ends);
  }
  io::Task<bool> connect_backend();
  io::Task<bool> act(const smtp::Server::Action& action, const Face& face, tls::Handshakes& handshakes);
  io::Task<void> start_tls(const Face& face, tls::Handshakes& handshakes);
  io::Task<void> mail(std::string line);
  io::Task<void> pass(std::string line);
  void answer(const base::Result<Reply>& reply);
  void lose_backend(const std::string& why);
};

// A session is counted as long as it is served, however that ends.
struct Gate::Registration {
  Gate& gate;
  Session& session;
  Registration(Gate& g, Session& s) : gate(g), session(s) {
    std::size_t& of_client = gate.per_client_[session.client.address.party()];
    gate.sessions_.insert(&session);
    ++of_client;
  }
  Registration(const Registration&) = delete;
  ~Registration() {
    gate.sessions_.erase(&session);
    const auto of_client = gate.per_client_.find(session.client.address.party());
    if (--of_client->second == 0) gate.per_client_.erase(of_client);
  }
};

void Gate::Session::lose_backend(const std::string& why) {
  base::log_warning("backend_failed", {{"client", client.address.str()}, {"detail", why}});
  backend.reset();
}

void Gate::Session::answer(const base::Result<Reply>& reply) {
  if (reply) {
    server->answer(*reply);
    if (reply->code != 421) return;
    backend.reset();
    return;
  }
  lose_backend(reply.error().detail);
  server->answer(Reply::make(421, "4.3.2 no service now, try again later"));
}

io::Task<bool> Gate::Session::connect_backend() {
  auto opened = co_await Backend::open(loop, settings, client);
  if (opened) {
    backend = std::move(*opened);
    co_return true;
  }
  base::log_warning("backend_failed", {{"client", client.address.str()}, {"detail", opened.error().detail}});
  if (!server) {
    const std::string refusal = opened.error().reply.wire();
    const auto said = co_await stream.write_all(refusal);
    (void)said;
  }
  co_return false;
}

// The backend's answer to one line is the client's.
io::Task<void> Gate::Session::pass(std::string line) {
  if (!backend) {
    answer(base::fail("gate.backend", "the backend's session is gone"));
    co_return;
  }
  const auto reply = co_await backend->ask(std::move(line));
  answer(reply);
}

io::Task<void> Gate::Session::mail(std::string line) {
  if (!backend) {
    const bool connected = co_await connect_backend();
    if (!connected) {
      answer(base::fail("gate.backend", "the backend cannot be had again"));
      co_return;
    }
  }
  const auto known = co_await backend->introduce(server->client_name());
  if (!known) {
    answer(std::unexpected(known.error()));
    co_return;
  }
  in_transaction = true;
  extend_deadline();
  co_await pass(std::move(line));
}

// Inside TLS the gate is whom the client asked for.
io::Task<void> Gate::Session::start_tls(const Face& face, tls::Handshakes& handshakes) {
  const auto shaken = co_await tls::start_server(stream, face.tls(), handshakes);
  if (!shaken) {
    base::log_info("tls_failed", {{"client", client.address.str()}, {"detail", shaken.error().detail}});
    server->peer_closed();
    co_return;
  }
  const Face::Name& name = face.names()[shaken->identity];
  server->become(name.host.hostname, name.lines);
  server->tls_established();
}

io::Task<bool> Gate::Session::act(const smtp::Server::Action& action, const Face& face,
                                  tls::Handshakes& handshakes) {
  switch (action.kind) {
    case Kind::send: {
      const auto sent = co_await stream.write_all(action.bytes);
      if (!sent) server->peer_closed();
      break;
    }
    case Kind::read: {
      char buffer[16 << 10];
      const auto began = io::Steady::now();
      if (pace) stream.set_deadline(pace->deadline(began, ends));
      const auto n = co_await stream.read_some(buffer, sizeof buffer);
      if (n && *n > 0) {
        if (pace) pace->received(*n, io::Steady::now() - began);
        server->receive({buffer, *n});
      } else if (!n && (n.error().code == "io.timeout" || n.error().code == "io.interrupted")) {
        allow(kGoodbye);
        server->shut_down(n.error().code == "io.timeout" ? "waited too long" : "is being restarted");
      } else {
        server->peer_closed();
      }
      break;
    }
    case Kind::start_tls:
      co_await start_tls(face, handshakes);
      break;
    case Kind::mail:
      co_await mail(std::string(action.line));
      break;
    case Kind::rcpt:
      co_await pass(std::string(action.line));
      break;
    case Kind::data: {
      if (!backend) {
        answer(base::fail("gate.backend", "the backend's session is gone"));
        break;
      }
      const auto reply = co_await backend->ask("DATA");
      in_body = reply && reply->code == 354;
      if (in_body) {
        backend->begin_body();
        pace.emplace(settings.pace);
      }
      answer(reply);
      break;
    }
    case Kind::body: {
      if (!backend) break;
      const auto written = co_await backend->write_body(action.bytes);
      if (!written) lose_backend(written.error().detail);
      break;
    }
    case Kind::body_end: {
      in_body = in_transaction = false;
      end_pace();
      if (!backend) {
        answer(base::fail("gate.backend", "the backend's session was lost in the message"));
        break;
      }
      const auto reply = co_await backend->end_body();
      answer(reply);
      break;
    }
    case Kind::reset:
      // A message broken off has no end that may be said: only the connection's.
      if (in_body) backend.reset();
      end_pace();
      if (backend && in_transaction) {
        const auto reply = co_await backend->ask("RSET");
        if (!reply || !reply->positive()) backend.reset();
      }
      in_body = in_transaction = false;
      break;
    case Kind::auth:  // never offered
    case Kind::xclient:
      server->answer(Reply::make(502, "5.5.1 not here"));
      break;
    case Kind::close:
      co_return false;
  }
  co_return true;
}

Gate::Gate(io::Loop& loop, Settings settings, Face face)
    : loop_(loop),
      settings_(std::move(settings)),
      face_(std::make_shared<const Face>(std::move(face))),
      handshakes_(loop) {}

base::Result<> Gate::renew(Face face) {
  if (auto kept = face.keeps_promises_of(*face_); !kept) return kept;
  face_ = std::make_shared<const Face>(std::move(face));
  return {};
}

base::Result<> Gate::start() {
  for (const io::Endpoint& at : settings_.listen) {
    auto listener = io::Listener::bind(loop_, at);
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(std::make_unique<io::Listener>(std::move(*listener)));
  }
  for (const auto& listener : listeners_) {
    loop_.spawn(listener->each(
        [this, port = listener->local().port](io::Stream stream) { admit(std::move(stream), port); }));
  }
  return {};
}

void Gate::stop() {
  stopping_ = true;
  for (const auto& listener : listeners_) listener->close();
  for (Session* s : sessions_) {
    if (!s->in_transaction) s->stream.interrupt();
  }
}

void Gate::admit(io::Stream stream, std::uint16_t port) {
  const auto address = stream.peer_address();
  const auto local = stream.local_address();
  const auto peer = io::Endpoint::parse(stream.peer());
  if (!address || !local || !peer) return;  // gone already
  auto session = std::make_shared<Session>(loop_, settings_, std::move(stream));
  session->client = {*address, peer->port, *local, port};
  const auto there = per_client_.find(address->party());
  const std::size_t of_client = there == per_client_.end() ? 0 : there->second;
  const bool full =
      sessions_.size() >= settings_.max_sessions || of_client >= settings_.max_sessions_per_client;
  loop_.spawn(full ? turn_away(session) : serve(session));
}

io::Task<void> Gate::turn_away(std::shared_ptr<Session> session) {
  Session& s = *session;
  base::log_warning("session_refused", {{"client", s.client.address.str()}, {"why", "too many sessions"}});
  s.allow(kGoodbye);
  const std::string busy = Reply::make(421, "4.3.2 " + settings_.hostname + " too many connections").wire();
  const auto said = co_await s.stream.write_all(busy);
  (void)said;
}

namespace {

// The backend's offers that hold through the gate. Others would let a client speak for somebody else
// (XCLIENT), or change the framing that the gate reads (CHUNKING).
smtp::ServerOptions options_for(const Settings& settings, const smtp::Capabilities& backend) {
  smtp::ServerOptions options;
  options.hostname = settings.hostname;
  options.starttls = true;
  options.max_message_size = backend.size_limit().value_or(0);
  options.eight_bit_mime = backend.has("8BITMIME");
  options.smtputf8 = backend.has("SMTPUTF8");
  options.pass_parameters = true;
  options.max_recipients = 100'000;  // the backend's own limit counts
  options.max_text_line = 0;
  if (backend.has("DSN")) options.plain_extensions.emplace_back("DSN");
  options.tls_extensions = options.plain_extensions;  // and what Server::become() adds
  return options;
}

}  // namespace

io::Task<void> Gate::serve(std::shared_ptr<Session> session) {
  Session& s = *session;
  const Registration registered{*this, s};
  s.extend_deadline();
  s.stream.set_idle_timeout(settings_.command_timeout);
  bool open = co_await s.connect_backend();
  const std::shared_ptr<const Face> face = face_;
  if (open) s.server.emplace(options_for(settings_, s.backend->capabilities()));
  while (open) {
    if (stopping_ && !s.in_transaction) s.server->shut_down("is being restarted");
    const smtp::Server::Action action = s.server->next();
    open = co_await s.act(action, *face, handshakes_);
  }
  s.stream.close();
  if (s.backend) {
    const auto bye = co_await s.backend->ask("QUIT");
    (void)bye;
  }
}

}  // namespace pinnace::gate
