// Stands as the MX host before any mail server: takes TLS, advertises its pins inside it,
// and passes the session on. Lines are read strictly here, so nothing that two servers
// read differently reaches the backend.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gate/face.hpp"
#include "io/pace.hpp"
#include "io/stream.hpp"
#include "tls/session.hpp"

namespace pinnace::gate {

// How the backend learns whose session it is.
enum class ClientAddress : std::uint8_t { none, xclient, proxy_v2 };

struct Settings {
  std::string hostname;  // of the first host
  std::vector<io::Endpoint> listen;
  io::Endpoint backend;
  ClientAddress client_address = ClientAddress::none;
  AdvertSettings advert;
  std::size_t max_sessions = 1000;
  std::size_t max_sessions_per_client = 50;
  io::PaceSettings pace;  // of a message's text
  base::Milliseconds command_timeout = std::chrono::minutes(5);
  base::Milliseconds transaction_timeout = std::chrono::hours(1);
  base::Milliseconds backend_timeout = std::chrono::minutes(10);
};

class Gate {
 public:
  Gate(io::Loop& loop, Settings settings, Face face);

  // Other certificates and adverts, from the next session on. Error as Face::keeps_promises_of; then nothing
  // changes.
  base::Result<> renew(Face face);
  const Face& face() const { return *face_; }

  base::Result<> start();
  void stop();
  std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  struct Registration;
  void admit(io::Stream stream, std::uint16_t port);
  io::Task<void> turn_away(std::shared_ptr<Session> session);
  io::Task<void> serve(std::shared_ptr<Session> session);

  io::Loop& loop_;
  Settings settings_;
  std::shared_ptr<const Face> face_;
  tls::Handshakes handshakes_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::set<Session*> sessions_;
  std::map<io::IpAddress, std::size_t> per_client_;  // by its party
  bool stopping_ = false;
};

}  // namespace pinnace::gate
