// Takes mail over SMTP from the networks that may relay and from users who log in, and puts it into the
// queue.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "auth/logins.hpp"
#include "base/budget.hpp"
#include "io/stream.hpp"
#include "queue/queue.hpp"
#include "relay/settings.hpp"
#include "smtp/server.hpp"
#include "tls/session.hpp"

namespace pinnace::relay {

class Relay {
 public:
  // `tls`: STARTTLS is offered where it is given. Listeners for users need it, and `logins`.
  Relay(io::Loop& loop, const base::Clock& clock, queue::Queue& queue, Settings settings,
        std::optional<tls::ServerContext> tls, auth::Logins* logins);

  // Binds every endpoint, then takes mail. Error: the first endpoint that cannot be had.
  base::Result<> start();
  // No new sessions; those without a transaction end with 421, others after theirs.
  void stop();
  std::size_t sessions() const { return sessions_.size(); }

  // From the next handshake on, of each listener.
  void set_certificate(tls::ServerContext tls) { tls_ = std::move(tls); }
  // The tickets given so far resume no session any more. A task that ends with the loop.
  io::Task<void> renew_ticket_keys();

 private:
  struct Session;
  struct Registration;

  struct Door {
    const ListenerSettings& settings;
    io::Listener listener;
  };

  void admit(const ListenerSettings& listener, io::Stream stream);
  io::Task<void> turn_away(std::shared_ptr<Session> session, std::string why);
  io::Task<void> welcome(std::shared_ptr<Session> session);  // sees whose connection it is
  smtp::ServerOptions options_for(const Session& session) const;
  std::string no_room_for(const ListenerSettings& listener) const;  // empty: there is
  bool count_client(Session& session, io::IpAddress client);        // false: it has too many sessions
  void forget_client(Session& session);
  io::Task<smtp::Reply> take_xclient(Session& session, smtp::Xclient named);
  io::Task<void> log_in(Session& session, smtp::Login login);
  io::Task<void> serve(std::shared_ptr<Session> session);
  io::Task<bool> act(Session& session, const smtp::Server::Action& action);  // false: the session is over
  io::Task<void> take_body(Session& session, std::string_view octets);
  io::Task<void> end_body(Session& session);
  io::Task<void> begin_body(Session& session);
  smtp::Reply answer_mail(Session& session, const smtp::PathArgument& path);
  smtp::Reply answer_rcpt(Session& session, const smtp::PathArgument& path);
  void log_session(const Session& session, std::string_view event, std::string_view detail) const;

  io::Loop& loop_;
  const base::Clock& clock_;
  queue::Queue& queue_;
  Settings settings_;
  std::optional<tls::ServerContext> tls_;
  tls::Handshakes handshakes_;
  base::Budget memory_;
  auth::Logins* logins_;
  std::vector<std::unique_ptr<Door>> doors_;
  std::set<Session*> sessions_;
  std::map<const ListenerSettings*, std::size_t> per_listener_;
  std::map<io::IpAddress, std::size_t> per_client_;  // by its party
  bool stopping_ = false;
};

}  // namespace pinnace::relay
