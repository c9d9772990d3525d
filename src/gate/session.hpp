// One client's session, and the backend's beside it from its first MAIL on.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gate/backends.hpp"
#include "gate/senders.hpp"
#include "smtp/server.hpp"
#include "tls/session.hpp"

namespace pinnace::gate {

// What the sessions of a gate share.
struct Parts {
  io::Loop& loop;
  const Settings& settings;
  Backends& backends;
  tls::Handshakes& handshakes;
  Senders& senders;
};

class Session {
 public:
  Session(Parts parts, std::shared_ptr<const Face> face, io::Stream stream, Client client, bool tls_first);
  Session(const Session&) = delete;

  io::Task<void> serve();
  // Says why, and no more.
  io::Task<void> turn_away(std::string why);
  // It ends as soon as it may: a message under way is taken yet.
  void stop();

  const Client& client() const { return client_; }

 private:
  using Action = smtp::Server::Action;

  void allow(base::Milliseconds time);
  // A session may be as long as it brings mail.
  void extend_deadline() { allow(parts_.settings.transaction_timeout); }
  void end_pace();

  io::Task<bool> act(const Action& action);
  io::Task<void> send(std::string_view bytes);
  io::Task<void> read();
  io::Task<base::Result<std::size_t>> read_some();
  io::Task<void> start_tls();
  io::Task<void> mail(const Action& action);
  io::Task<bool> connect_backend();
  io::Task<void> pass(std::string line);
  io::Task<void> begin_text();
  io::Task<void> end_text();
  io::Task<void> reset();
  void answer(const base::Result<smtp::Reply>& reply);
  void lose_backend(const std::string& why);

  Parts parts_;
  std::shared_ptr<const Face> face_;  // the same from its beginning to its end
  io::Stream stream_;
  Client client_;
  bool tls_first_;
  bool stopping_ = false;
  Backends::One* backend_at_ = nullptr;
  std::unique_ptr<Backend> backend_;
  std::optional<smtp::Server> server_;
  Encryption encryption_;  // the client's
  std::string sender_domain_;
  bool in_transaction_ = false;
  bool in_text_ = false;
  std::size_t errors_answered_ = 0;
  io::Timer tarpit_;
  std::string input_;  // room for a piece of a text; an idle session has none
  io::Steady::time_point ends_;
  std::optional<io::Pace> pace_;  // in a text
};

}  // namespace pinnace::gate
