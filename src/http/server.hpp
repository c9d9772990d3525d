// An HTTPS server, HTTP/1.1 alone: a few resources, each with one method, a body of bounded size and a
// handler. Everybody on the Internet may talk to it, so every wait has an end, and what all sessions together
// hold is bounded: sessions, bodies, heads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/budget.hpp"
#include "base/clock.hpp"
#include "http/server_message.hpp"
#include "io/pace.hpp"
#include "io/stream.hpp"
#include "tls/session.hpp"

namespace pinnace::http {

struct ServerRequest {
  RequestHead head;
  std::string body;
  io::IpAddress client;
};

struct Resource {
  std::string method = "GET";  // HEAD with it; or "POST"
  std::size_t max_body = 0;    // octets
  // On the loop's thread. The request is the handler's.
  std::function<io::Task<ServerResponse>(ServerRequest request)> handler;
};

struct ServerSettings {
  std::vector<io::Endpoint> listen;
  std::size_t max_sessions = 200;
  std::size_t max_sessions_per_client = 20;                      // of one party
  std::uint32_t max_head = 16 << 10;                             // octets
  std::uint64_t max_bodies = 64 << 20;                           // octets, of all requests together
  int max_requests = 100;                                        // in a session
  base::Milliseconds idle_timeout = std::chrono::seconds(15);    // from a response to the next request
  base::Milliseconds head_timeout = std::chrono::seconds(10);    // of the handshake; of a request's head
  base::Milliseconds request_timeout = std::chrono::minutes(2);  // of a whole request
  io::PaceSettings pace = {2000, std::chrono::seconds(15)};      // of a body
  base::Milliseconds linger = std::chrono::seconds(2);           // to take in why it was refused
};

class Server {
 public:
  // `clock` outlives it.
  Server(io::Loop& loop, const base::Clock& clock, ServerSettings settings, tls::ServerContext tls);
  Server(const Server&) = delete;

  // Before start(). A path has one resource.
  void add(std::string path, Resource resource);
  base::Result<> start();  // "io.listen"
  // No new requests; those under way are still answered where they are whole.
  void stop();
  // Other certificates, from the next session on.
  void renew(tls::ServerContext tls) { tls_ = std::move(tls); }

  std::size_t sessions() const { return sessions_.size(); }
  // Where it listens, after start().
  std::vector<io::Endpoint> endpoints() const;

 private:
  struct Session;
  struct Registration;

  void admit(io::Stream stream);
  io::Task<void> serve(std::shared_ptr<Session> session);
  io::Task<bool> exchange(Session& s, bool last);
  io::Task<bool> receive(Session& s, RequestReader& reader, bool whole);
  io::Task<ServerResponse> answer(Session& s, RequestReader& reader);
  io::Task<bool> respond(Session& s, ServerResponse response, bool with_body, bool keep_alive);
  io::Task<void> linger(Session& s);

  io::Loop& loop_;
  const base::Clock& clock_;
  ServerSettings settings_;
  tls::ServerContext tls_;
  tls::Handshakes handshakes_;
  std::map<std::string, Resource, std::less<>> resources_;
  base::Budget bodies_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::set<Session*> sessions_;
  std::map<io::IpAddress, std::size_t> per_client_;  // by its party
  bool stopping_ = false;
};

}  // namespace pinnace::http
