// The server's side of an SMTP session as a state machine: bytes and answers in,
// actions out. It knows no sockets; whoever drives it does what next() says:
//
//   send       write `bytes`, then call next()
//   read       read, then receive(); or peer_closed()
//   start_tls  do the TLS handshake, then tls_established()
//   mail, rcpt, data, body_end    decide, then answer(); `mail` opens a transaction
//   body       take `bytes` of the message (dots and end mark already taken away)
//   reset      the transaction is over without a message: forget it
//   close      close the connection
//
// Replies of pipelined commands are sent together (RFC 2920 3.2). Nothing that came
// before TLS is there after it (RFC 3207 4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/command.hpp"
#include "smtp/dot.hpp"
#include "smtp/reply.hpp"

namespace pinnace::smtp {

struct ServerOptions {
  std::string hostname;
  bool starttls = false;
  std::uint64_t max_message_size = 50 << 20;  // announced as SIZE; 0: not announced, no limit
  bool eight_bit_mime = true;
  bool smtputf8 = true;
  // More EHLO lines ("PKP PIN-SHA256=..."), before TLS and inside it.
  std::vector<std::string> plain_extensions;
  std::vector<std::string> tls_extensions;
  // A front passes parameters of MAIL and RCPT on; an end refuses those it does not know.
  bool pass_parameters = false;
  std::size_t max_recipients = 1000;  // RFC 5321 4.5.3.1.8: at least 100
  std::size_t max_errors = 20;        // then 421 and the end
  std::size_t max_text_line = 998;    // RFC 5321 4.5.3.1.6, without CRLF; 0: none
};

class Server {
 public:
  // RFC 5321 4.5.3.1.4 has 512 octets, and extensions add to MAIL and RCPT: SIZE 26, 8BITMIME 17,
  // SMTPUTF8 10, DSN 500 and 100, and a UTF-8 address thrice its ASCII room.
  static constexpr std::size_t kMaxCommandLine = 2048;

  enum class Kind { send, read, start_tls, mail, rcpt, data, body, body_end, reset, close };
  struct Action {
    Kind kind = Kind::read;
    std::string_view bytes;              // send, body: valid until the next call
    const PathArgument* path = nullptr;  // mail, rcpt: valid until answer()
    std::string_view line;               // mail, rcpt: as it came, for a front to pass on
  };

  explicit Server(ServerOptions options);

  Action next();
  void receive(std::string_view bytes) { in_.append(bytes); }
  void peer_closed();
  void answer(const Reply& reply);
  void tls_established();
  // Ends the session with 421 after what is under way.
  void shut_down(const std::string& why);

  bool in_tls() const { return tls_; }
  bool extended() const { return extended_; }                 // EHLO, not HELO
  const std::string& client_name() const { return client_; }  // as in its EHLO or HELO
  bool body_8bit() const { return body_8bit_; }               // BODY=8BITMIME was said
  bool smtputf8() const { return smtputf8_; }

 private:
  enum class State { command, answering, data_answer, body, body_answer, tls, closing, closed };

  // Nothing for the owner to do: go on with what is buffered.
  using MaybeAction = std::optional<Action>;
  enum class Line { taken, refused, incomplete };

  Line take_line();  // into line_
  MaybeAction step();
  MaybeAction run();
  MaybeAction hello(const Command& command);
  MaybeAction mail(std::string_view argument);
  MaybeAction rcpt(std::string_view argument);
  MaybeAction starttls(const Command& command);
  MaybeAction read_body();
  MaybeAction refuse(int code, std::string text);
  MaybeAction reset();
  std::string mail_parameters_problem();
  void say(const Reply& reply) { out_ += reply.wire(); }
  void say(int code, std::string text) { out_ += Reply::make(code, std::move(text)).wire(); }

  ServerOptions options_;
  State state_ = State::command;
  std::string in_;
  std::size_t at_ = 0;  // octets of in_ done with
  std::string out_;
  std::string sending_;
  std::string chunk_;
  std::string line_;
  bool discarding_ = false;  // the rest of an over-long line
  bool tls_ = false;
  bool extended_ = false;
  std::string client_;
  bool in_mail_ = false;
  Verb asked_ = Verb::unknown;
  std::size_t recipients_ = 0;  // accepted
  std::size_t asked_recipients_ = 0;
  bool body_8bit_ = false;
  bool smtputf8_ = false;
  PathArgument path_;
  DotReader dots_;
  std::uint64_t size_ = 0;
  std::size_t errors_ = 0;
};

}  // namespace pinnace::smtp
