// The client's side of an SMTP session as a state machine: bytes and events in,
// actions out. Whoever drives it does what next() says:
//
//   send       write `bytes`, then call next()
//   read       read, then receive(); or peer_closed()
//   start_tls  do the TLS handshake, then tls_established()
//   ready      the session is idle: look at capabilities(), then begin() or quit()
//   send_body  write the message text through a DotWriter, then body_sent()
//   done       the transaction is over: take results(), then begin() or quit()
//   failed     failure() says why; close the connection
//   closed     after quit(): close the connection
//
// Many transactions may follow each other in one session.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/capabilities.hpp"
#include "smtp/reply.hpp"

namespace pinnace::smtp {

struct OutgoingEnvelope {
  std::string reverse_path;
  std::vector<std::string> recipients;
  std::uint64_t size = 0;
  bool body_8bit = false;
  bool smtputf8 = false;
};

class Client {
 public:
  enum class Tls { required, opportunistic, none };
  enum class Kind { send, read, start_tls, ready, send_body, done, failed, closed };
  struct Action {
    Kind kind = Kind::read;
    std::string_view bytes;  // valid until the next call
  };
  struct Failure {
    enum class Why {
      refused,      // the greeting or EHLO: `reply` has the server's words
      no_starttls,  // TLS is required and not offered
      starttls_refused,
      injected,  // plaintext behind the reply to STARTTLS
      protocol,  // what came is not SMTP
      lost,      // the connection ended, or 421
    };
    Why why = Why::lost;
    std::string detail;
    std::optional<Reply> reply;
  };

  Client(std::string ehlo_name, Tls tls);

  Action next();
  void receive(std::string_view bytes) { parser_.receive(bytes); }
  void peer_closed();
  void tls_established();
  void begin(OutgoingEnvelope envelope);
  void body_sent();
  void quit();

  // Of the last EHLO only: nothing said before TLS counts inside it (RFC 3207 4.2).
  const Capabilities& capabilities() const { return capabilities_; }
  // What was said before TLS, to report PKP and STSEC there.
  const Capabilities& plain_capabilities() const { return plain_capabilities_; }
  bool in_tls() const { return tls_on_; }
  // A reply for each recipient of the envelope; 250 to the message for those delivered.
  const std::vector<Reply>& results() const { return results_; }
  const Failure& failure() const { return failure_; }
  // False after 421 or a failure: no further transaction.
  bool reusable() const { return state_ == State::ready && !closing_; }

 private:
  enum class State {
    greeting,
    ehlo,
    helo,
    starttls,
    tls,
    ready,
    rset,
    envelope,
    body,
    end,
    done,
    quit,
    failed,
    closed
  };
  enum class Asked { mail, rcpt, data };

  void take(Reply reply);
  void take_envelope(Reply reply);
  void after_ehlo();
  void send_envelope();
  void send_next();
  void finish();
  void fail(Failure::Why why, std::string detail, std::optional<Reply> reply = std::nullopt);
  void answer_all(const Reply& reply);

  std::string name_;
  Tls tls_;
  State state_ = State::greeting;
  ReplyParser parser_;
  std::string out_;
  std::string sending_;
  Capabilities capabilities_;
  Capabilities plain_capabilities_;
  bool extended_ = false;
  bool tls_on_ = false;
  bool closing_ = false;
  bool needs_reset_ = false;
  OutgoingEnvelope envelope_;
  std::deque<Asked> asked_;     // commands under way
  std::size_t next_rcpt_ = 0;   // to be sent
  std::size_t rcpt_reply_ = 0;  // to be answered
  bool mail_ok_ = false;
  std::vector<Reply> results_;
  std::size_t accepted_ = 0;
  Failure failure_;
};

}  // namespace pinnace::smtp
