#include "relay/relay.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "mime/received.hpp"
#include "relay/session.hpp"

namespace pinnace::relay {

using Kind = smtp::Server::Kind;
using smtp::Reply;

namespace {

// What a session holds besides while a body is taken, and for a recipient besides its address, here and in
// the queue's writer.
constexpr std::uint64_t kBodyOctets = 192 << 10;
constexpr std::uint64_t kRecipientOctets = 1024;

constexpr auto kGoodbye = std::chrono::seconds(10);  // to take in why its session ends

}  // namespace

Relay::Relay(io::Loop& loop, const base::Clock& clock, queue::Queue& queue, Settings settings,
             std::optional<tls::ServerContext> tls, auth::Logins* logins)
    : loop_(loop),
      clock_(clock),
      queue_(queue),
      settings_(std::move(settings)),
      tls_(std::move(tls)),
      handshakes_(loop),
      memory_(settings_.memory),
      logins_(logins) {}

base::Result<> Relay::start() {
  for (const ListenerSettings& settings : settings_.listeners) {
    for (const io::Endpoint& at : settings.addresses) {
      auto listener = io::Listener::bind(loop_, at);
      if (!listener) return std::unexpected(listener.error());
      doors_.push_back(std::make_unique<Door>(Door{settings, std::move(*listener)}));
    }
  }
  for (const auto& door : doors_) {
    loop_.spawn(door->listener.each(
        [this, &settings = door->settings](io::Stream stream) { admit(settings, std::move(stream)); }));
  }
  return {};
}

io::Task<void> Relay::renew_ticket_keys() {
  io::Timer timer(loop_);
  for (;;) {
    const bool elapsed = co_await timer.wait(settings_.ticket_keys_lifetime);
    if (!elapsed) co_return;
    if (tls_) tls_ = tls_->with_new_ticket_keys();
  }
}

void Relay::stop() {
  stopping_ = true;
  for (const auto& door : doors_) door->listener.close();
  for (Session* s : sessions_) {
    if (!s->in_transaction) s->stream.interrupt();
  }
}

void Relay::log_session(const Session& session, std::string_view event, std::string_view detail) const {
  base::log_info(event, {{"client", session.client.str()},
                         {"helo", session.server.client_name()},
                         {"detail", std::string(detail)}});
}

std::string Relay::no_room_for(const ListenerSettings& listener) const {
  const auto of_listener = per_listener_.find(&listener);
  const std::size_t there = of_listener == per_listener_.end() ? 0 : of_listener->second;
  if (sessions_.size() >= settings_.max_sessions || there >= listener.max_sessions)
    return "too many connections";
  return memory_.has_room(kSessionOctets) ? "" : "out of memory for sessions";
}

void Relay::admit(const ListenerSettings& listener, io::Stream stream) {
  const auto peer = stream.peer_address();
  if (!peer) return;  // gone already
  auto session = std::make_shared<Session>(std::move(stream), listener, memory_);
  session->client = *peer;
  session->stream.set_idle_timeout(settings_.command_timeout);
  const std::string why = no_room_for(listener);
  if (!why.empty()) return loop_.spawn(turn_away(session, why));
  (void)session->memory.grow(kSessionOctets);  // there is room
  loop_.spawn(welcome(session));
}

io::Task<void> Relay::serve(std::shared_ptr<Session> session) {
  Session& s = *session;
  s.allow(settings_.transaction_timeout);
  bool open = true;
  while (open) {
    if (stopping_ && !s.in_transaction) s.server.shut_down("is being restarted");
    const smtp::Server::Action action = s.server.next();
    open = co_await act(s, action);
  }
  s.writer.reset();
  s.stream.close();
}

io::Task<bool> Relay::act(Session& s, const smtp::Server::Action& action) {
  switch (action.kind) {
    case Kind::send: {
      // A client that is answered owes no octets meanwhile.
      if (s.pace) s.stream.set_deadline(s.ends);
      const auto sent = co_await s.stream.write_all(action.bytes);
      if (!sent) s.server.peer_closed();
      break;
    }
    case Kind::read: {
      char buffer[16 << 10];
      const auto began = io::Steady::now();
      if (s.pace) s.stream.set_deadline(s.pace->deadline(began, s.ends));
      const auto n = co_await s.stream.read_some(buffer, sizeof buffer);
      if (n && *n > 0) {
        if (s.pace) s.pace->received(*n, io::Steady::now() - began);
        s.server.receive({buffer, *n});
      } else if (!n && (n.error().code == "io.timeout" || n.error().code == "io.interrupted")) {
        if (s.in_transaction) s.in_transaction = false;
        s.allow(kGoodbye);
        s.server.shut_down(n.error().code == "io.timeout" ? "waited too long" : "is being restarted");
      } else {
        s.server.peer_closed();
      }
      break;
    }
    case Kind::start_tls: {
      auto shaken = co_await tls::start_server(s.stream, *tls_, handshakes_);
      if (!shaken) {
        log_session(s, "tls_failed", shaken.error().detail);
        s.server.peer_closed();
        break;
      }
      s.handshake = std::move(*shaken);
      s.server.tls_established();
      break;
    }
    case Kind::auth: {
      smtp::Login login = *action.login;
      co_await log_in(s, std::move(login));
      break;
    }
    case Kind::xclient: {
      smtp::Xclient named = *action.xclient;
      const Reply reply = co_await take_xclient(s, std::move(named));
      s.server.answer(reply);
      break;
    }
    case Kind::mail:
      s.server.answer(answer_mail(s, *action.path));
      break;
    case Kind::rcpt:
      s.server.answer(answer_rcpt(s, *action.path));
      break;
    case Kind::data:
      co_await begin_body(s);
      break;
    case Kind::body:
      co_await take_body(s, action.bytes);
      break;
    case Kind::body_end:
      co_await end_body(s);
      break;
    case Kind::reset:
      s.writer.reset();
      s.memory.shrink_to(kSessionOctets);
      s.in_transaction = false;
      s.allow(settings_.transaction_timeout);
      break;
    case Kind::close:
      co_return false;
  }
  co_return true;
}

Reply Relay::answer_mail(Session& s, const smtp::PathArgument& path) {
  if (queue_.failed()) return Reply::make(451, "4.3.0 the store has failed, and no mail is taken");
  // RFC 6409 6.1
  if (!auth::may_send_as(s.senders, path.path)) {
    log_session(s, "sender_refused", fmt::format("{} as {}", s.server.user(), path.path));
    // RFC 6531 3.7.4.2: without the address, which need not be ASCII
    return Reply::make(550, "5.7.1 you may not send as this address");
  }
  // RFC 1870 6.1: said before anything is sent in vain.
  if (!queue_.has_room()) return Reply::make(452, "4.3.1 no room for mail now");
  s.envelope = {};
  s.envelope.reverse_path = path.path;
  s.envelope.smtputf8 = s.server.smtputf8();
  s.envelope.envid = s.server.mail_dsn().envid;
  s.envelope.ret = s.server.mail_dsn().ret;
  s.envelope.priority = s.listener.priority;
  s.envelope.route = s.listener.name;
  // RFC 8689 4.1
  if (s.server.requiretls()) s.envelope.tls_wish = queue::TlsWish::require;
  s.in_transaction = true;
  s.allow(settings_.transaction_timeout);
  return Reply::make(250, "2.1.0 ok");
}

Reply Relay::answer_rcpt(Session& s, const smtp::PathArgument& path) {
  if (s.server.user().empty() && (s.listener.for_users() || !s.in_networks)) {
    log_session(s, "relaying_denied", path.path);
    return Reply::make(554, fmt::format("5.7.1 {} may not relay here", s.client.str()));
  }
  const smtp::RcptDsn& dsn = s.server.rcpt_dsn();
  if (!s.memory.grow(kRecipientOctets + 2 * path.path.size() + dsn.orcpt.size())) {
    return Reply::make(452, "4.3.1 no memory for one more recipient now");
  }
  s.envelope.recipients.emplace_back(path.path, dsn.notify, dsn.orcpt);
  return Reply::make(250, "2.1.5 ok");
}

io::Task<void> Relay::begin_body(Session& s) {
  s.envelope.client = fmt::format("{} [{}]", s.server.client_name(), s.client.str());
  if (!s.server.user().empty()) s.envelope.client += " as " + s.server.user();
  s.failed.reset();
  if (!s.memory.grow(kBodyOctets)) {
    s.failed = {"relay.memory", "the sessions hold all that limits.memory allows them"};
  }
  s.scanner.emplace();
  s.writer.emplace(queue_.begin(s.envelope));
  mime::Trace trace;
  trace.client_name = s.server.client_name();
  trace.client_host = s.client_host;
  trace.client_ip = s.client.str();
  trace.by = settings_.hostname;
  trace.extended = s.server.extended();
  trace.tls = s.server.in_tls();
  trace.authenticated = !s.server.user().empty();
  trace.tls_text = s.handshake.version + "/" + s.handshake.cipher;
  trace.smtputf8 = s.server.smtputf8();
  trace.id = s.writer->id().str();
  if (s.envelope.recipients.size() == 1) trace.recipient = s.envelope.recipients[0].address;
  trace.at = clock_.now();
  s.missing.reset();
  if (s.listener.for_users()) {
    const std::string unique =
        fmt::format("<{}.{}@{}>", trace.at.time_since_epoch().count(), trace.id, trace.by);
    s.missing.emplace(base::format_mail_date(trace.at), unique);
  }
  const std::string field = mime::received_field(trace);
  if (!s.failed) {
    const auto written = co_await s.writer->append(field);
    if (!written) s.failed = written.error();
  }
  s.pace.emplace(settings_.pace);
  s.server.answer(Reply::make(354, "end with <CRLF>.<CRLF>"));
}

io::Task<void> Relay::take_body(Session& s, std::string_view octets) {
  if (s.failed) co_return;
  s.scanner->feed(octets);
  if (s.missing) octets = s.missing->pass(octets);
  const auto written = co_await s.writer->append(octets);
  if (!written) s.failed = written.error();
}

io::Task<void> Relay::end_body(Session& s) {
  Reply reply;
  std::string id = s.writer->id().str();
  if (!s.failed && static_cast<std::size_t>(s.scanner->received()) > settings_.max_received) {
    // RFC 5321 6.3
    reply = Reply::make(
        554, fmt::format("5.4.6 a mail loop: more than {} Received fields", settings_.max_received));
  } else {
    if (!s.failed && s.missing) {
      const auto written = co_await s.writer->append(s.missing->finish());
      if (!written) s.failed = written.error();
    }
    if (!s.failed) {
      queue::BodyFacts facts;
      facts.binary = s.server.body_binary();
      facts.eight_bit = s.server.body_8bit() || s.scanner->eight_bit();
      facts.tls_required_no = s.scanner->tls_required_no();
      const auto stored = co_await s.writer->commit(facts);
      if (!stored) s.failed = stored.error();
    }
    reply = !s.failed                          ? Reply::make(250, "2.0.0 queued as " + id)
            : s.failed->code == "store.full"   ? Reply::make(452, "4.3.1 no room for mail now")
            : s.failed->code == "relay.memory" ? Reply::make(452, "4.3.1 no memory for mail now")
                                               : Reply::make(451, "4.3.0 the message could not be stored");
  }
  base::log(reply.positive() ? base::Level::info : base::Level::warning,
            reply.positive() ? "accepted" : "refused",
            {{"id", id},
             {"from", s.envelope.reverse_path},
             {"recipients", std::to_string(s.envelope.recipients.size())},
             {"size", std::to_string(s.writer->size())},
             {"client", s.client.str()},
             {"user", s.server.user()},
             {"reply", reply.text()},
             {"detail", s.failed ? s.failed->detail : ""}});
  s.writer.reset();
  s.memory.shrink_to(kSessionOctets);
  s.in_transaction = false;
  s.allow(settings_.transaction_timeout);
  s.server.answer(reply);
}

}  // namespace pinnace::relay
