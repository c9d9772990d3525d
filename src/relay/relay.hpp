// Takes mail over SMTP from the networks that may relay, and puts it into the queue.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/budget.hpp"
#include "io/pace.hpp"
#include "io/stream.hpp"
#include "queue/queue.hpp"
#include "smtp/server.hpp"
#include "tls/session.hpp"

namespace pinnace::relay {

struct Settings {
  std::string hostname;
  std::vector<io::Endpoint> listen;
  std::vector<io::Network> networks;  // who may relay; others are refused every recipient
  std::uint64_t max_message_size = 50 << 20;
  std::size_t max_sessions = 1000;
  std::size_t max_sessions_per_client = 100;
  std::size_t max_recipients = 1000;
  std::size_t max_errors = 20;
  std::size_t max_received = 100;  // more Received fields than that are a loop (RFC 5321 6.3)
  std::size_t max_text_line = 998;
  std::uint64_t memory = 256 << 20;                                   // octets that sessions may hold in all
  io::PaceSettings pace;                                              // of a message's text
  base::Milliseconds command_timeout = std::chrono::minutes(5);       // RFC 5321 4.5.3.2.7
  base::Milliseconds transaction_timeout = std::chrono::minutes(60);  // between two messages, and for each
};

class Relay {
 public:
  // `tls`: STARTTLS is offered where it is given.
  Relay(io::Loop& loop, const base::Clock& clock, queue::Queue& queue, Settings settings,
        std::optional<tls::ServerContext> tls);

  // Binds every endpoint, then takes mail. Error: the first endpoint that cannot be had.
  base::Result<> start();
  // No new sessions; those without a transaction end with 421, others after theirs.
  void stop();
  std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Session;
  struct Registration;

  io::Task<void> accept(io::Listener* listener);
  io::Task<void> serve(std::shared_ptr<Session> session);
  io::Task<bool> act(Session& session, const smtp::Server::Action& action);  // false: the session is over
  io::Task<void> take_body(Session& session, std::string_view octets);
  io::Task<void> end_body(Session& session);
  io::Task<void> begin_body(Session& session);
  smtp::Reply answer_rcpt(Session& session, const smtp::PathArgument& path);
  void log_session(const Session& session, std::string_view event, std::string_view detail) const;

  io::Loop& loop_;
  const base::Clock& clock_;
  queue::Queue& queue_;
  Settings settings_;
  std::optional<tls::ServerContext> tls_;
  base::Budget memory_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::set<Session*> sessions_;
  std::map<io::IpAddress, std::size_t> per_client_;
  bool stopping_ = false;
};

}  // namespace pinnace::relay
