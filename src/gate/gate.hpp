// Stands as the MX host before any mail server: takes TLS, advertises its pins inside it,
// and passes the session on. Lines are read strictly here, so nothing that two servers
// read differently reaches the backend.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/pace.hpp"
#include "io/stream.hpp"
#include "pins/noting.hpp"
#include "tls/session.hpp"

namespace pinnace::gate {

// How the backend learns whose session it is.
enum class ClientAddress : std::uint8_t { none, xclient, proxy_v2 };

struct Settings {
  std::string hostname;
  std::vector<io::Endpoint> listen;
  io::Endpoint backend;
  ClientAddress client_address = ClientAddress::none;
  base::Seconds max_age = std::chrono::days(60);
  pins::Scope scope = pins::Scope::host;
  pins::Mode mode = pins::Mode::enforce;
  std::string rua;
  base::Seconds stsec_max_age{0};  // 0: not advertised
  std::size_t max_sessions = 1000;
  std::size_t max_sessions_per_client = 50;
  io::PaceSettings pace;  // of a message's text
  base::Milliseconds command_timeout = std::chrono::minutes(5);
  base::Milliseconds transaction_timeout = std::chrono::hours(1);
  base::Milliseconds backend_timeout = std::chrono::minutes(10);
};

// What the gate would advertise: the certificate's own key and the backup's. Error "pins.own_advert":
// it must not be advertised (pinning-protocol, "What a receiver owes").
base::Result<pins::Advert> make_advert(const Settings& settings, const tls::PeerChain& chain,
                                       const pins::Pin& backup);

class Gate {
 public:
  Gate(io::Loop& loop, Settings settings, tls::ServerContext tls, const pins::Advert& advert);

  // Another certificate and advert, from the next session on. Error "pins.own_advert": the certificate has no
  // key that is advertised now, so who noted that would hold his mail; nothing changes.
  base::Result<> renew(tls::ServerContext tls, const pins::Advert& advert);
  const std::vector<std::string>& advert_lines() const { return face_->lines; }

  base::Result<> start();
  void stop();
  std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  struct Registration;
  // What clients see. A session has the same from its beginning to its end.
  struct Face {
    tls::ServerContext tls;
    pins::Advert advert;
    std::vector<std::string> lines;
  };
  std::shared_ptr<const Face> face_of(tls::ServerContext tls, const pins::Advert& advert) const;

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
