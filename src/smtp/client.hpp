// The client's side of an SMTP or LMTP (RFC 2033) session as a state machine: bytes and events in,
// actions out. Whoever drives it does what next() says:
//
//   send       write `bytes`, then call next()
//   read       read, then receive(); or peer_closed()
//   start_tls  do the TLS handshake, then tls_established()
//   ready      the session is idle: look at capabilities(), then begin() or quit()
//   send_body  write the message text through a DotWriter, then body_sent(); but where chunking(), write
//              chunk_head() and the next chunk of the text behind it, then chunk_sent()
//   done       the transaction is over: take results(), then begin() or quit()
//   failed     failure() says why; close the connection
//   closed     after quit(): close the connection
//
// Many transactions may follow each other in one session. While the text, or a chunk, is sent nobody need
// read; where writing fails, receive() what can still be read, then peer_closed(): what the server said
// before it closed counts.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/capabilities.hpp"
#include "smtp/dsn_parameters.hpp"
#include "smtp/reply.hpp"

namespace pinnace::smtp {

struct OutgoingRecipient {
  std::string address;
  RcptDsn dsn;  // goes on to a server that offers DSN, and to no other (RFC 3461 5.2)

  OutgoingRecipient(std::string a, RcptDsn d = {})
      : address(std::move(a)), dsn(std::move(d)) {}  // NOLINT: an address
  OutgoingRecipient(const char* a) : address(a) {}   // NOLINT: an address alone is one
};

struct OutgoingEnvelope {
  std::string reverse_path;                   // empty: the null reverse-path
  std::vector<OutgoingRecipient> recipients;  // at least one
  std::uint64_t size = 0;                     // octets; 0: not known
  bool body_8bit = false;                     // the text has octets above 127
  bool smtputf8 = false;
  bool requiretls = false;   // RFC 8689; not for a server that does not offer it, but for a bounce
  bool body_binary = false;  // RFC 3030 3: any octets, and lines of any length
  bool chunking = true;      // BDAT to a server that offers it; else DATA always
  bool one_chunk = false;    // the text is at hand and goes in one chunk: it may go with its envelope
  MailDsn dsn = {};          // as OutgoingRecipient::dsn
};

class Client {
 public:
  enum class Tls { required, opportunistic, none };
  enum class Protocol { smtp, lmtp };
  enum class Kind { send, read, start_tls, ready, send_body, done, failed, closed };
  struct Action {
    Kind kind = Kind::read;
    std::string_view bytes;  // valid until the next call
  };
  struct Failure {
    enum class Why {
      refused,      // at the greeting or EHLO
      no_starttls,  // TLS is required and not offered
      starttls_refused,
      injected,  // plaintext behind the reply to STARTTLS
      protocol,  // what came is not SMTP, or was not asked
      lost,      // the connection ended, or 421
    };
    Why why = Why::lost;
    std::string detail;
    std::optional<Reply> reply;  // of refused, starttls_refused, and lost by 421
    // The whole message was sent and not answered: the server may have it. Try again later, not at once.
    bool unanswered = false;
  };

  // At most so many commands are under way: their replies must fit into what the network buffers
  // while we write (RFC 2920 3.1).
  static constexpr std::size_t kGroup = 100;
  // And so many chunks: few enough that a refusal is heard before much more is sent in vain.
  static constexpr std::size_t kChunks = 16;

  Client(std::string ehlo_name, Tls tls, Protocol protocol = Protocol::smtp);

  Action next();
  void receive(std::string_view bytes) { parser_.receive(bytes); }
  void peer_closed() { gone_ = true; }
  void tls_established();
  void begin(OutgoingEnvelope envelope);
  // Why the server cannot take this from what it offers; begin() would end with this reply for everybody.
  std::optional<Reply> refusal(const OutgoingEnvelope& envelope) const;
  // What was received before this is no answer to the whole message, and counts only as a refusal.
  void body_sent();
  // RFC 3030: the text goes by BDAT, unstuffed, and no chunk may have another size than its head says.
  bool chunking() const { return chunking_; }
  std::string chunk_head(std::size_t octets, bool last);  // with what is still to be sent before it
  void chunk_sent(bool last);
  void quit();

  // Of the last EHLO only: nothing said before TLS counts inside it (RFC 3207 4.2).
  const Capabilities& capabilities() const { return capabilities_; }
  // What was said before TLS, to report PKP and STSEC there.
  const Capabilities& plain_capabilities() const { return plain_capabilities_; }
  bool in_tls() const { return tls_on_; }
  // STARTTLS was offered and then refused, where the session went on without.
  const std::optional<Reply>& starttls_refusal() const { return starttls_refusal_; }
  // A reply for each recipient of the envelope: the one to the message for those accepted, else the
  // one that refused it. LMTP only: 451 4.4.2 of our own where the server answered for others and then no
  // more; this one may have the message.
  const std::vector<Reply>& results() const { return results_; }
  const Failure& failure() const { return failure_; }
  // False after 421, a failure, or octets nobody asked for: no further transaction.
  bool reusable() const { return state_ == State::ready && !closing_ && !gone_ && !parser_.pending(); }
  // Whether QUIT can be said: also to a server whose TLS or certificate will not do, inside TLS where a
  // handshake was (RFC 3207 4.1, RFC 8689 4.2.1). Not after a handshake that failed.
  bool can_quit() const;

 private:
  enum class State { talking, tls, ready, text, done, failed, closed };
  enum class Asked { greeting, ehlo, helo, starttls, rset, mail, rcpt, data, chunk, text, quit };

  void ask(Asked what, std::string_view line);
  void take(Reply reply);
  void take_greeting(Reply reply);
  void take_ehlo(Reply reply);
  void take_helo(Reply reply);
  void take_starttls(Reply reply);
  void take_rset(Reply reply);
  void take_mail(const Reply& reply);
  void take_rcpt(Reply reply);
  void take_data(Reply reply);
  void take_chunk(Reply reply);
  void take_end(Reply reply);
  void take_recipient_end(Reply reply);
  void take_early(Reply reply);
  bool offers_requiretls() const { return tls_on_ && capabilities_.has("REQUIRETLS"); }
  bool can_chunk(const OutgoingEnvelope& envelope) const;
  bool may_have_it() const;
  bool waits_for(Asked what) const;
  std::string mail_line() const;
  std::string rcpt_line(const OutgoingRecipient& to) const;
  void send_group();
  void ask_text();
  void go_on();
  void finish(const Reply& reply);
  void lose();
  void leave_unanswered(std::string_view why);
  std::string hello() const;
  void fail(Failure::Why why, std::string detail);
  void fail(Failure::Why why, std::string_view what, Reply reply);  // in the server's words

  std::string name_;
  Tls tls_;
  Protocol protocol_;
  State state_ = State::talking;
  ReplyParser parser_;
  std::deque<Asked> asked_ = {Asked::greeting};  // replies due, in order
  std::string out_;
  std::string sending_;
  Capabilities capabilities_;
  Capabilities plain_capabilities_;
  bool tls_on_ = false;
  bool closing_ = false;  // the server said so, or the text was broken off
  bool gone_ = false;     // the connection
  Failure failure_;
  std::optional<Reply> starttls_refusal_;

  OutgoingEnvelope envelope_;
  bool needs_reset_ = false;  // the last transaction was left open
  bool mail_asked_ = false;
  bool mail_ok_ = false;
  std::size_t next_rcpt_ = 0;   // to be sent
  std::size_t rcpt_reply_ = 0;  // to be answered
  std::size_t accepted_ = 0;
  std::size_t answered_ = 0;  // LMTP: before it all replies are final, after the text was sent
  bool answered_early_ = false;
  bool chunking_ = false;
  std::optional<Reply> chunk_refusal_;
  std::vector<Reply> results_;
};

}  // namespace pinnace::smtp
