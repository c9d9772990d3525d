// Stands as the MX host before any mail server: takes TLS, advertises its pins inside it,
// and passes the session on. Lines are read strictly here, so nothing that two servers
// read differently reaches the backend.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "gate/session.hpp"

namespace pinnace::gate {

class Gate {
 public:
  Gate(io::Loop& loop, const base::Clock& clock, Settings settings, Face face);

  // Other certificates and adverts, from the next session on. Whether they may follow, the caller knows.
  void renew(Face face);
  const Face& face() const { return *face_; }

  base::Result<> start();
  void stop();
  std::size_t sessions() const { return limits_.sessions(); }
  const std::vector<Backends::One>& backends() const { return backends_.all(); }
  const Senders& senders() const { return senders_; }

 private:
  base::Result<> listen(const std::vector<io::Endpoint>& at, bool tls_first);
  void admit(io::Stream stream, std::uint16_t port, bool tls_first);
  io::Task<void> serve(std::shared_ptr<Session> session);
  io::Task<void> turn_away(std::shared_ptr<Session> session, std::string why);

  io::Loop& loop_;
  const base::Clock& clock_;
  Settings settings_;
  std::shared_ptr<const Face> face_;
  tls::Handshakes handshakes_;
  Limits limits_;
  Backends backends_;
  Senders senders_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::set<Session*> sessions_;
  std::size_t turned_away_ = 0;  // and being told so
  bool stopping_ = false;
};

}  // namespace pinnace::gate
