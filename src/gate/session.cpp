#include "gate/session.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace pinnace::gate {

using Kind = smtp::Server::Kind;
using smtp::Reply;

namespace {

constexpr auto kGoodbye = std::chrono::seconds(10);  // to take in why its session ends
constexpr base::Milliseconds kMostTarpit = std::chrono::seconds(30);
constexpr std::size_t kLine = 1 << 10;    // octets read at once of commands
constexpr std::size_t kPiece = 16 << 10;  // and of a text: a record of TLS

const char* const kNoService = "4.3.2 no service now, try again later";

// The backend's offers that hold through the gate. Others would let a client speak for somebody else
// (XCLIENT), or promise what nobody keeps.
smtp::ServerOptions options_for(const Settings& settings, const smtp::Capabilities& backend) {
  smtp::ServerOptions options;
  options.hostname = settings.hostname;
  options.starttls = true;
  options.max_message_size = backend.size_limit().value_or(0);
  options.eight_bit_mime = backend.has("8BITMIME");
  options.chunking = backend.has("CHUNKING");
  options.binarymime = backend.has("BINARYMIME");
  options.smtputf8 = backend.has("SMTPUTF8");
  options.requiretls = backend.has("REQUIRETLS");
  options.pass_parameters = true;
  // The backend's own limit counts; but an LMTP server answers a text for each recipient, and who speaks SMTP
  // hears one answer (docs/decisions/0009-one-recipient-for-lmtp.md).
  options.max_recipients = settings.backend.protocol == BackendProtocol::lmtp ? 1 : 100'000;
  options.max_errors = settings.max_errors;
  options.max_text_line = 0;
  if (backend.has("DSN")) options.plain_extensions.emplace_back("DSN");
  options.tls_extensions = options.plain_extensions;  // and what Server::become() adds
  return options;
}

// Of a canonical mailbox; empty of the null reverse-path.
std::string domain_of(const std::string& mailbox) {
  const std::size_t at = mailbox.rfind('@');
  return at == std::string::npos ? std::string() : mailbox.substr(at + 1);
}

}  // namespace

Session::Session(Parts parts, std::shared_ptr<const Face> face, io::Stream stream, Client client,
                 bool tls_first)
    : parts_(parts),
      face_(std::move(face)),
      stream_(std::move(stream)),
      client_(client),
      tls_first_(tls_first),
      tarpit_(parts.loop) {}

void Session::allow(base::Milliseconds time) {
  ends_ = io::Steady::now() + time;
  end_pace();
}

void Session::end_pace() {
  pace_.reset();
  stream_.set_deadline(ends_);
}

io::Task<void> Session::turn_away(std::string why) {
  base::log_warning("session_refused", {{"client", client_.address.str()}, {"why", why}});
  if (tls_first_) co_return;  // nothing can be said in the clear
  allow(kGoodbye);
  const std::string busy = Reply::make(421, "4.3.2 " + parts_.settings.hostname + " " + why).wire();
  const auto said = co_await stream_.write_all(busy);
  (void)said;
}

// RFC 5321 4.5.4.1 has the client try another MX host where this one cannot serve it: so that is said at
// once, and a host that stands for another is not kept from the mail.
io::Task<void> Session::serve() {
  extend_deadline();
  stream_.set_idle_timeout(parts_.settings.command_timeout);
  backend_at_ = co_await parts_.backends.choose();
  if (!backend_at_) {
    co_await turn_away("no service now, try again later");
    co_return;
  }
  smtp::ServerOptions options = options_for(parts_.settings, backend_at_->capabilities);
  options.tls_first = tls_first_;
  server_.emplace(std::move(options));
  bool open = true;
  while (open) {
    if (stopping_ && !in_transaction_) server_->shut_down("is being restarted");
    const Action action = server_->next();
    open = co_await act(action);
  }
  stream_.close();
  if (!backend_) co_return;
  const auto bye = co_await backend_->ask("QUIT");
  (void)bye;
}

void Session::stop() {
  stopping_ = true;
  tarpit_.cancel();
  if (!in_transaction_) stream_.interrupt();
}

io::Task<bool> Session::act(const Action& action) {
  switch (action.kind) {
    case Kind::send:
      co_await send(action.bytes);
      break;
    case Kind::read:
      co_await read();
      break;
    case Kind::start_tls:
      co_await start_tls();
      break;
    case Kind::mail:
      co_await mail(action);
      break;
    case Kind::rcpt:
      co_await pass(std::string(action.line));
      break;
    case Kind::data:
      co_await begin_text();
      break;
    case Kind::body: {
      if (!backend_) break;
      const auto written = co_await backend_->write_text(action.bytes);
      if (!written) lose_backend(written.error().detail);
      break;
    }
    case Kind::body_end:
      co_await end_text();
      break;
    case Kind::reset:
      co_await reset();
      break;
    case Kind::auth:  // never offered
    case Kind::xclient:
      server_->answer(Reply::make(502, "5.5.1 not here"));
      break;
    case Kind::close:
      co_return false;
  }
  co_return true;
}

// Who makes errors waits for the answers, longer with each.
io::Task<void> Session::send(std::string_view bytes) {
  if (const std::size_t errors = server_->errors(); errors > errors_answered_ && !stopping_) {
    errors_answered_ = errors;
    const auto pause = std::min<base::Milliseconds>(errors * parts_.settings.tarpit, kMostTarpit);
    if (pause > base::Milliseconds(0)) {
      const bool elapsed = co_await tarpit_.wait(pause);
      (void)elapsed;
    }
  }
  const auto sent = co_await stream_.write_all(bytes);
  if (!sent) server_->peer_closed();
}

// Most sessions are idle most of the time: what they wait with is small.
io::Task<base::Result<std::size_t>> Session::read_some() {
  if (in_text_) {
    input_.resize(kPiece);
    const auto n = co_await stream_.read_some(input_.data(), input_.size());
    if (n) server_->receive({input_.data(), *n});
    co_return n;
  }
  char line[kLine];
  const auto n = co_await stream_.read_some(line, sizeof line);
  if (n) server_->receive({line, *n});
  co_return n;
}

io::Task<void> Session::read() {
  const auto began = io::Steady::now();
  if (pace_) stream_.set_deadline(pace_->deadline(began, ends_));
  const auto n = co_await read_some();
  if (n && *n > 0) {
    if (pace_) pace_->received(*n, io::Steady::now() - began);
  } else if (!n && (n.error().code == "io.timeout" || n.error().code == "io.interrupted")) {
    allow(kGoodbye);
    server_->shut_down(n.error().code == "io.timeout" ? "waited too long" : "is being restarted");
  } else {
    server_->peer_closed();
  }
}

// Inside TLS the gate is whom the client asked for.
io::Task<void> Session::start_tls() {
  const auto shaken = co_await tls::start_server(stream_, face_->tls(), parts_.handshakes);
  if (!shaken) {
    base::log_info("tls_failed", {{"client", client_.address.str()}, {"detail", shaken.error().detail}});
    server_->peer_closed();
    co_return;
  }
  encryption_ = Encryption::of(*shaken);
  const Face::Name& name = face_->names()[shaken->identity];
  server_->become(name.host.hostname, [&name] { return name.said(); });  // face_ has it
  server_->tls_established();
}

void Session::lose_backend(const std::string& why) {
  base::log_warning("backend_failed", {{"client", client_.address.str()}, {"detail", why}});
  backend_.reset();
}

void Session::answer(const base::Result<Reply>& reply) {
  if (reply) {
    server_->answer(*reply);
    if (reply->code == 421) backend_.reset();
    return;
  }
  lose_backend(reply.error().detail);
  server_->answer(Reply::make(421, kNoService));
}

io::Task<bool> Session::connect_backend() {
  auto opened = co_await parts_.backends.open(backend_at_, client_, server_->client_name());
  if (opened) {
    backend_ = std::move(*opened);
    co_return true;
  }
  base::log_warning("backend_failed", {{"client", client_.address.str()}, {"detail", opened.error().detail}});
  // A refusal of the client at the greeting is one of his mail here.
  server_->answer(opened.error().reply);
  co_return false;
}

// The backend's answer to one line is the client's.
io::Task<void> Session::pass(std::string line) {
  if (!backend_) {
    answer(base::fail("gate.backend", "the backend's session is gone"));
    co_return;
  }
  const auto reply = co_await backend_->ask(std::move(line));
  answer(reply);
}

io::Task<void> Session::mail(const Action& action) {
  std::string line(action.line);
  sender_domain_ = domain_of(action.path->path);
  extend_deadline();
  if (!backend_) {
    const bool connected = co_await connect_backend();
    if (!connected) co_return;
  }
  const auto known = co_await backend_->introduce(server_->client_name());
  if (!known) {
    answer(std::unexpected(known.error()));
    co_return;
  }
  in_transaction_ = true;
  co_await pass(std::move(line));
}

io::Task<void> Session::begin_text() {
  if (!backend_) {
    answer(base::fail("gate.backend", "the backend's session is gone"));
    co_return;
  }
  // RFC 3030 2: BDAT is answered behind its chunks; DATA, before the text. Where the backend takes chunks it
  // gets the text of either so: that is a round trip less, and what is counted has no end that two servers
  // could see in two places. What it has against the message it says behind the text.
  const bool chunks = backend_->capabilities().has("CHUNKING");
  base::Result<Reply> reply = Reply::make(354, "go on");
  if (!chunks) reply = co_await backend_->ask("DATA");
  in_text_ = reply && reply->code == 354;
  if (in_text_) {
    backend_->begin_text(chunks);
    pace_.emplace(parts_.settings.pace);
  }
  answer(reply);
}

io::Task<void> Session::end_text() {
  in_text_ = in_transaction_ = false;
  input_ = {};
  end_pace();
  if (!backend_) {
    answer(base::fail("gate.backend", "the backend's session was lost in the message"));
    co_return;
  }
  const auto reply = co_await backend_->end_text();
  if (reply && reply->completed()) parts_.senders.count(sender_domain_, encryption_);
  answer(reply);
}

io::Task<void> Session::reset() {
  // A message broken off has no end that may be said: only the connection's.
  if (in_text_) backend_.reset();
  end_pace();
  if (backend_ && in_transaction_) {
    const auto reply = co_await backend_->ask("RSET");
    if (!reply || !reply->positive()) backend_.reset();
  }
  in_text_ = in_transaction_ = false;
  input_ = {};
}

}  // namespace pinnace::gate
