#include "http/server.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace pinnace::http {
namespace {

constexpr std::size_t kPiece = 16 << 10;
constexpr std::size_t kMostLingering = 1 << 20;  // octets

ServerResponse plain(int status, std::string text) {
  ServerResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

}  // namespace

struct Server::Session {
  Session(base::Budget& bodies, io::Stream s, io::IpAddress c)
      : stream(std::move(s)), client(c), body(bodies) {}

  io::Stream stream;
  io::IpAddress client;
  std::string in;  // received, and not yet read
  io::Steady::time_point ends;
  base::Share body;
  bool broken = false;  // what follows on the connection is no request's beginning
};

// A session is counted as long as it is served, however that ends.
struct Server::Registration {
  Server& server;
  Session& session;
  Registration(Server& sv, Session& s) : server(sv), session(s) {
    std::size_t& of_client = server.per_client_[session.client.party()];
    server.sessions_.insert(&session);
    ++of_client;
  }
  Registration(const Registration&) = delete;
  ~Registration() {
    server.sessions_.erase(&session);
    const auto of_client = server.per_client_.find(session.client.party());
    if (--of_client->second == 0) server.per_client_.erase(of_client);
  }
};

Server::Server(io::Loop& loop, const base::Clock& clock, ServerSettings settings, tls::ServerContext tls)
    : loop_(loop),
      clock_(clock),
      settings_(std::move(settings)),
      tls_(std::move(tls)),
      handshakes_(loop),
      bodies_(settings_.max_bodies) {}

void Server::add(std::string path, Resource resource) {
  resources_.emplace(std::move(path), std::move(resource));
}

base::Result<> Server::start() {
  for (const io::Endpoint& at : settings_.listen) {
    auto listener = io::Listener::bind(loop_, at);
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(std::make_unique<io::Listener>(std::move(*listener)));
  }
  for (const auto& listener : listeners_) {
    loop_.spawn(listener->each([this](io::Stream stream) { admit(std::move(stream)); }));
  }
  return {};
}

void Server::stop() {
  stopping_ = true;
  for (const auto& listener : listeners_) listener->close();
  for (Session* s : sessions_) s->stream.interrupt();
}

std::vector<io::Endpoint> Server::endpoints() const {
  std::vector<io::Endpoint> out;
  for (const auto& listener : listeners_) out.push_back(listener->local());
  return out;
}

void Server::admit(io::Stream stream) {
  const auto address = stream.peer_address();
  if (!address) return;  // gone already
  const auto there = per_client_.find(address->party());
  const std::size_t of_client = there == per_client_.end() ? 0 : there->second;
  // Closed at once: a handshake only to say so would be what a flood is after.
  if (sessions_.size() >= settings_.max_sessions || of_client >= settings_.max_sessions_per_client) {
    return base::log_warning("session_refused",
                             {{"client", address->str()}, {"why", "too many HTTPS sessions"}});
  }
  loop_.spawn(serve(std::make_shared<Session>(bodies_, std::move(stream), *address)));
}

io::Task<void> Server::serve(std::shared_ptr<Session> session) {
  Session& s = *session;
  const Registration registered{*this, s};
  s.stream.set_idle_timeout(settings_.request_timeout);
  s.stream.set_deadline(io::Steady::now() + settings_.head_timeout);
  const auto shaken = co_await tls::start_server(s.stream, tls_, handshakes_);
  if (!shaken) {
    base::log_debug("tls_failed", {{"client", s.client.str()}, {"detail", shaken.error().detail}});
    co_return;
  }
  bool open = true;
  for (int request = 1; open && !stopping_; ++request) {
    const bool last = request >= settings_.max_requests;
    open = co_await exchange(s, last);
  }
  s.stream.close();
}

// One request and its response; false where it was the connection's last.
io::Task<bool> Server::exchange(Session& s, bool last) {
  RequestReader reader(settings_.max_head);
  s.broken = false;
  if (s.in.empty()) {
    s.stream.set_deadline(io::Steady::now() + settings_.idle_timeout);
    s.in.resize(kPiece);
    const auto n = co_await s.stream.read_some(s.in.data(), s.in.size());
    s.in.resize(n.value_or(0));
    if (s.in.empty()) co_return false;
  }
  const auto began = io::Steady::now();
  s.ends = began + settings_.request_timeout;
  s.stream.set_deadline(began + settings_.head_timeout);
  const bool came = co_await receive(s, reader, false);
  ServerResponse response;
  if (came) {
    response = co_await answer(s, reader);
  } else {
    response = plain(408, "the request did not come in time");
    s.broken = true;
  }
  s.body.shrink_to(0);
  const bool keep = !last && !s.broken && !stopping_ && reader.head().keep_alive;
  const bool with_body = reader.head().method != "HEAD";
  co_return co_await respond(s, std::move(response), with_body, keep);
}

// Until the head is read, or the whole request; or it is refused. False where it did not come.
io::Task<bool> Server::receive(Session& s, RequestReader& reader, bool whole) {
  io::Pace pace(settings_.pace);
  for (;;) {
    s.in.erase(0, reader.feed(s.in));
    if (reader.refusal() || reader.done() || (!whole && reader.has_head())) co_return true;
    const auto began = io::Steady::now();
    if (whole) s.stream.set_deadline(pace.deadline(began, s.ends));
    const std::size_t had = s.in.size();
    s.in.resize(had + kPiece);
    const auto n = co_await s.stream.read_some(s.in.data() + had, kPiece);
    s.in.resize(had + n.value_or(0));
    if (s.in.size() == had) co_return false;
    pace.received(*n, io::Steady::now() - began);
  }
}

io::Task<ServerResponse> Server::answer(Session& s, RequestReader& reader) {
  // What is answered before its body was read leaves that behind.
  s.broken = reader.refusal() || reader.head().has_body;
  if (reader.refusal()) co_return plain(reader.refusal()->status, reader.refusal()->why);
  const RequestHead& head = reader.head();
  const auto found = resources_.find(head.path);
  if (found == resources_.end()) co_return plain(404, "nothing is here");
  const Resource& resource = found->second;
  if (head.method != resource.method && !(head.method == "HEAD" && resource.method == "GET")) {
    ServerResponse response = plain(405, "another method is expected here");
    response.fields.emplace_back("Allow", resource.method == "GET" ? "GET, HEAD" : resource.method);
    co_return response;
  }
  reader.limit_body(resource.max_body);
  if (reader.refusal()) co_return plain(reader.refusal()->status, reader.refusal()->why);
  if (head.has_body && !s.body.grow(head.length.value_or(resource.max_body))) {
    ServerResponse response = plain(503, "too much is being received, try again later");
    response.fields.emplace_back("Retry-After", "60");
    co_return response;
  }
  if (head.expects_continue && head.has_body && s.in.empty()) {
    const auto said = co_await s.stream.write_all("HTTP/1.1 100 Continue\r\n\r\n");
    (void)said;  // then nothing comes
  }
  const bool came = co_await receive(s, reader, true);
  if (!came) co_return plain(408, "the request's body did not come in time");
  if (reader.refusal()) co_return plain(reader.refusal()->status, reader.refusal()->why);
  s.broken = false;
  ServerRequest request{head, reader.take_body(), s.client};
  co_return co_await resource.handler(std::move(request));
}

io::Task<bool> Server::respond(Session& s, ServerResponse response, bool with_body, bool keep_alive) {
  std::string out = response_head(response, keep_alive, clock_.now());
  if (with_body) out += response.body;
  s.stream.set_deadline(io::Steady::now() + settings_.request_timeout);
  const auto sent = co_await s.stream.write_all(out);
  if (sent && s.broken) co_await linger(s);
  co_return sent&& keep_alive;
}

// RFC 9112 9.6: closed with something unread, the connection would be reset, and the response with it.
io::Task<void> Server::linger(Session& s) {
  s.stream.set_deadline(io::Steady::now() + settings_.linger);
  char buffer[kPiece];
  std::size_t lingered = 0;
  while (lingered < kMostLingering) {
    const auto n = co_await s.stream.read_some(buffer, sizeof buffer);
    if (!n || *n == 0) break;
    lingered += *n;
  }
}

}  // namespace pinnace::http
