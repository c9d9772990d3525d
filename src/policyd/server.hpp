// The socketmap server that Postfix asks (socketmap_table(5)): on a thread and a loop of its own, so that no
// lookup and no probe delays an answer that is ready.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/address.hpp"
#include "io/loop.hpp"
#include "policyd/answers.hpp"

namespace pinnace::policyd {

struct ServerSettings {
  std::vector<io::Endpoint> listen;
  std::vector<std::string> maps;  // names; the place is the profile
  std::size_t max_connections = 1000;
  std::size_t max_request = 100'000;  // octets, as Postfix has it
  base::Milliseconds idle_timeout = std::chrono::minutes(10);
  base::Milliseconds answer_timeout = std::chrono::seconds(5);  // for one that is not ready; then TIMEOUT
  std::string socket_mode = "0660";                             // of UNIX sockets
};

struct ServerStats {
  std::uint64_t requests = 0, ready = 0, looked_up = 0, timed_out = 0;
  std::uint64_t refused = 0;      // connections: one too many, or no socketmap
  std::uint64_t connections = 0;  // open now
};

class Server {
 public:
  // `ask` is called on the server's thread for a domain without a ready answer: it sees to it that `tell` is
  // called, from any thread, once, with the reply ("OK ...", "NOTFOUND ", "TEMP ..."). Many ask for one
  // domain at once; who is asked lets them share a lookup.
  using Tell = std::function<void(std::string reply)>;
  using Ask = std::function<void(Profile profile, std::string domain, Tell tell)>;
  Server(ServerSettings settings, const base::Clock& clock, Answers& answers, Ask ask);
  ~Server();  // stopped, its thread joined

  // Binds on the caller's thread, so that what cannot be bound is told here; then starts the thread, to which
  // the caller's gives way from now on: a storm of lookups is not to delay an answer that is ready.
  // Errors "io.listen", "policyd.socket_mode".
  base::Result<> start();
  const std::vector<io::Endpoint>& listening() const;  // once started, with the ports that were given
  void stop();  // no new connections; those that wait for an answer get it, for a second at most
  ServerStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pinnace::policyd
