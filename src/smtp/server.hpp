// The server's side of an SMTP session as a state machine: bytes and answers in,
// actions out. It knows no sockets; whoever drives it does what next() says:
//
//   send       write `bytes`, then call next()
//   read       read, then receive(); or peer_closed()
//   start_tls  do the TLS handshake, then tls_established()
//   mail, rcpt, data, body_end    decide, then answer(); `mail` opens a transaction
//   auth       see whether `login` is good, then answer(): 235 where it is
//   xclient    know the client as `xclient` names it, then answer() with a greeting
//   body       take `bytes` of the message (dots and end mark already taken away, or of a BDAT chunk)
//   reset      the transaction is over without a message: forget it
//   close      close the connection
//
// Replies of pipelined commands are sent together (RFC 2920 3.2). Nothing that came
// before TLS is there after it (RFC 3207 4.2).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/command.hpp"
#include "smtp/dot.hpp"
#include "smtp/dsn_parameters.hpp"
#include "smtp/login.hpp"
#include "smtp/reply.hpp"
#include "smtp/text_lines.hpp"
#include "smtp/xclient.hpp"

namespace pinnace::smtp {

struct ServerOptions {
  std::string hostname;
  bool starttls = false;
  bool tls_first = false;             // TLS begins with the connection, before the greeting (RFC 8314 3.3)
  bool auth = false;                  // AUTH PLAIN and LOGIN, inside TLS only
  bool auth_required = false;         // before MAIL
  bool xclient = false;               // the client is a front that may speak for others
  std::size_t max_failed_logins = 3;  // then 421 and the end
  std::uint64_t max_message_size = 50 << 20;  // announced as SIZE; 0: not announced, no limit
  bool eight_bit_mime = true;
  bool chunking = false;    // BDAT and, with 8BITMIME, BINARYMIME (RFC 3030)
  bool binarymime = true;   // false: not even then
  bool smtputf8 = true;     // only with 8BITMIME (RFC 6531 3.1)
  bool dsn = false;         // a promise to keep what is asked and to send it on (RFC 3461 5.2)
  bool requiretls = false;  // a promise to keep to it when sending on (RFC 8689 1); inside TLS only
  // More EHLO lines ("PKP PIN-SHA256=..."), before TLS and inside it.
  std::vector<std::string> plain_extensions;
  std::vector<std::string> tls_extensions;
  // A front passes parameters of MAIL and RCPT on; an end refuses those it does not know.
  bool pass_parameters = false;
  std::size_t max_recipients = 1000;  // RFC 5321 4.5.3.1.8: at least 100
  std::size_t max_errors = 20;        // without a message taken between; then 421 and the end
  std::size_t max_idle = 100;         // commands that bring no message nearer; more count as errors
  std::size_t max_text_line = 998;    // RFC 5321 4.5.3.1.6, without CRLF; 0: none
};

class Server {
 public:
  // RFC 5321 4.5.3.1.4 has 512 octets, and extensions add to them: SIZE 26 (RFC 1870 3), 8BITMIME 17
  // (RFC 6152 2) or BINARYMIME 16 (RFC 3030 3), SMTPUTF8 10 (RFC 6531 3.1), REQUIRETLS 11 (RFC 8689 2), DSN
  // 100 and 500 (RFC 3461 5.4). That is 1,176 if all came in one line; the rest is for addresses in UTF-8
  // and what is to come.
  static constexpr std::size_t kMaxCommandLine = 2048;
  static constexpr std::size_t kMaxResponse = 12288;  // a line of an AUTH exchange (RFC 4954 4)
  // Replies to commands received together are held back up to this, so that a short command with a
  // long reply (EHLO) costs its sender more than us.
  static constexpr std::size_t kMaxReplies = 32 << 10;

  enum class Kind { send, read, start_tls, auth, xclient, mail, rcpt, data, body, body_end, reset, close };
  struct Action {
    Kind kind = Kind::read;
    std::string_view bytes;              // send, body: valid until the next call
    const PathArgument* path = nullptr;  // mail, rcpt: valid until answer()
    std::string_view line;               // mail, rcpt: as it came, for a front to pass on
    const Login* login = nullptr;        // auth: valid until answer()
    const Xclient* xclient = nullptr;    // xclient: likewise
  };

  explicit Server(ServerOptions options);

  Action next();
  void receive(std::string_view bytes) { in_.append(bytes); }
  void peer_closed();
  void answer(const Reply& reply);
  void tls_established();
  // Before tls_established(): the name it has inside TLS, and more lines of its EHLO reply there, asked for
  // at each EHLO.
  void become(std::string hostname, std::function<std::vector<std::string>()> tls_extensions);
  // Ends the session with 421: after the answer() that is due, so that a message taken is not called
  // refused; at once where none is, and a message that is half there is dropped.
  void shut_down(const std::string& why);

  bool in_tls() const { return tls_; }
  // EHLO, not HELO; of the client that a front named, where it says so.
  bool extended() const { return named_protocol_.empty() ? extended_ : named_protocol_ == "ESMTP"; }
  const std::string& client_name() const { return named_client_.empty() ? client_ : named_client_; }
  const std::string& user() const { return user_; }            // who logged in; empty: nobody
  bool body_8bit() const { return body_ == Body::eight_bit; }  // BODY=8BITMIME was said
  bool body_binary() const { return body_ == Body::binary; }   // BODY=BINARYMIME
  bool chunked() const { return chunks_.begun; }               // the message's text comes by BDAT
  std::size_t errors() const { return errors_; }               // without a message taken between
  bool smtputf8() const { return smtputf8_; }
  bool requiretls() const { return requiretls_; }
  const MailDsn& mail_dsn() const { return mail_dsn_; }
  const RcptDsn& rcpt_dsn() const { return rcpt_dsn_; }  // of the RCPT that is asked about

 private:
  enum class State { command, exchange, answering, body, chunk, tls, closing, closed };
  enum class Exchange { plain, login_user, login_password };  // what an AUTH response holds
  enum class Transaction { none, refused, open };             // what became of the last MAIL
  enum class Line { taken, refused, incomplete };
  enum class Body { unset, seven_bit, eight_bit, binary };
  using MaybeAction = std::optional<Action>;  // none: nothing for the owner to do, go on

  Line take_line();  // into line_
  MaybeAction step();
  MaybeAction run();
  MaybeAction hello(const Command& command);
  MaybeAction starttls();
  MaybeAction mail(std::string_view argument);
  MaybeAction rcpt(std::string_view argument);
  MaybeAction data();
  MaybeAction bdat(std::string_view argument);
  MaybeAction read_chunk();
  MaybeAction end_chunk();
  MaybeAction fail_chunk();
  bool no_data_now();  // true: it was said why
  bool refuse_text();  // true: it was said why
  void take_input(std::size_t octets);
  MaybeAction out_of_turn();
  MaybeAction unknown();
  MaybeAction auth(std::string_view argument);
  MaybeAction take_response(std::string_view line);
  void challenge();
  void take_auth_answer(const Reply& reply);
  bool take_auth_parameter(const Parameter& p);
  MaybeAction xclient(std::string_view argument);
  void take_xclient_answer(const Reply& reply);
  MaybeAction read_body();
  MaybeAction end_body();
  MaybeAction refuse(int code, std::string text);  // an error of the client's
  MaybeAction reset();
  MaybeAction ask(Kind kind);
  bool take_parameter(const Parameter& p);  // of MAIL; false: refused
  bool take_rcpt_parameter(const Parameter& p);
  bool binary_mime() const { return options_.chunking && options_.binarymime && options_.eight_bit_mime; }
  void count_error();
  void count_idle();
  void close(int code, std::string text);
  void greet();
  bool too_large() const { return options_.max_message_size > 0 && size_ > options_.max_message_size; }
  bool too_long() const {
    const std::size_t longest = std::max(dots_.longest_line(), chunks_.lines.longest_line());
    return options_.max_text_line > 0 && longest > options_.max_text_line;
  }
  bool bare_line_end() const { return dots_.bare_line_end() || chunks_.lines.bare_line_end(); }
  bool nul() const { return dots_.nul() || chunks_.lines.nul(); }
  void say(int code, std::string text) { out_ += Reply::make(code, std::move(text)).wire(); }

  ServerOptions options_;
  std::function<std::vector<std::string>()> more_inside_;  // may be null
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
  Exchange exchange_ = Exchange::plain;
  Login login_;
  std::string user_;
  std::size_t failed_logins_ = 0;
  Xclient xclient_;
  std::string named_client_;    // by XCLIENT
  std::string named_protocol_;  // likewise
  std::size_t errors_ = 0;
  std::size_t idle_ = 0;
  std::string shut_down_;  // why, once the answer that is due was given
  Kind asked_ = Kind::read;

  Transaction transaction_ = Transaction::none;
  PathArgument path_;
  Body body_ = Body::unset;
  bool smtputf8_ = false;
  bool requiretls_ = false;
  MailDsn mail_dsn_;
  RcptDsn rcpt_dsn_;
  std::size_t recipients_ = 0;  // accepted
  std::size_t asked_recipients_ = 0;
  DotReader dots_;
  struct Chunks {
    bool begun = false;      // the transaction's text comes by BDAT, and its owner was asked
    Chunk current;           // the last that was announced
    std::uint64_t left = 0;  // octets of it still to come
    std::string refusal;     // the owner's reply, to be said behind the chunk
    TextLines lines;
  } chunks_;
  std::uint64_t size_ = 0;
};

}  // namespace pinnace::smtp
