#include "smtp/client.hpp"

#include <fmt/format.h>

namespace pinnace::smtp {

Client::Client(std::string ehlo_name, Tls tls) : name_(std::move(ehlo_name)), tls_(tls) {}

void Client::fail(Failure::Why why, std::string detail, std::optional<Reply> reply) {
  failure_ = {why, std::move(detail), std::move(reply)};
  state_ = State::failed;
  out_.clear();
}

Client::Action Client::next() {
  for (;;) {
    switch (state_) {
      case State::failed:
        return {Kind::failed, {}};
      case State::closed:
        return {Kind::closed, {}};
      default:
        break;
    }
    if (!out_.empty()) {
      sending_.swap(out_);
      out_.clear();
      return {Kind::send, sending_};
    }
    switch (state_) {
      case State::tls:
        return {Kind::start_tls, {}};
      case State::ready:
        return {Kind::ready, {}};
      case State::body:
        return {Kind::send_body, {}};
      case State::done:
        state_ = State::ready;
        return {Kind::done, {}};
      default:
        break;
    }
    auto reply = parser_.next();
    if (!reply) {
      fail(Failure::Why::protocol, reply.error().detail);
      continue;
    }
    if (!*reply) return {Kind::read, {}};
    take(std::move(**reply));
  }
}

void Client::peer_closed() {
  if (state_ == State::quit || state_ == State::closed) {
    state_ = State::closed;
    return;
  }
  fail(Failure::Why::lost, state_ == State::end
                               ? "the connection was lost after the message was sent, before the "
                                 "server answered"
                               : "the server closed the connection");
}

void Client::take(Reply reply) {
  // RFC 5321 3.8: 421 may answer anything, and the server closes.
  if (reply.code == 421) {
    closing_ = true;
    if (state_ != State::envelope && state_ != State::end && state_ != State::quit) {
      fail(Failure::Why::lost, "the server is closing: " + reply.text(), std::move(reply));
      return;
    }
  }
  switch (state_) {
    case State::greeting:
      if (reply.code != 220) {
        fail(Failure::Why::refused, "the server does not take mail now: " + reply.text(), std::move(reply));
        return;
      }
      out_ = "EHLO " + name_ + "\r\n";
      state_ = State::ehlo;
      return;
    case State::ehlo:
      if (reply.code == 250) {
        capabilities_ = Capabilities(reply);
        extended_ = true;
        after_ehlo();
      } else if (tls_ != Tls::required && !tls_on_ && reply.permanent()) {
        // RFC 5321 3.2: an old server knows HELO. Never where TLS is a must: HELO has no STARTTLS.
        out_ = "HELO " + name_ + "\r\n";
        state_ = State::helo;
      } else {
        fail(Failure::Why::refused, "the server refuses EHLO: " + reply.text(), std::move(reply));
      }
      return;
    case State::helo:
      if (reply.code == 250) {
        state_ = State::ready;
      } else {
        fail(Failure::Why::refused, "the server refuses HELO: " + reply.text(), std::move(reply));
      }
      return;
    case State::starttls:
      if (reply.code == 220) {
        // CVE-2021-38371: what comes behind this reply in the clear would be read as if it were inside TLS.
        if (parser_.pending()) {
          fail(Failure::Why::injected,
               "unprotected data follows the reply to STARTTLS: somebody may be "
               "injecting replies");
          return;
        }
        state_ = State::tls;
      } else if (tls_ == Tls::required) {
        fail(Failure::Why::starttls_refused, "the server refuses STARTTLS: " + reply.text(),
             std::move(reply));
      } else {
        state_ = State::ready;
      }
      return;
    case State::rset:
      if (!reply.positive()) {
        fail(Failure::Why::protocol, "the server refuses RSET: " + reply.text(), std::move(reply));
      } else {
        send_envelope();
      }
      return;
    case State::envelope:
      take_envelope(std::move(reply));
      return;
    case State::end:
      if (reply.code == 354) {
        fail(Failure::Why::protocol, "354 in answer to a message's end");
        return;
      }
      answer_all(reply);
      finish();
      return;
    case State::quit:
      state_ = State::closed;
      return;
    default:
      fail(Failure::Why::protocol, "an unasked reply: " + reply.text());
      return;
  }
}

void Client::after_ehlo() {
  state_ = State::ready;
  if (tls_on_) return;
  plain_capabilities_ = capabilities_;
  if (tls_ == Tls::none) return;
  if (capabilities_.has("STARTTLS")) {
    out_ = "STARTTLS\r\n";
    state_ = State::starttls;
  } else if (tls_ == Tls::required) {
    fail(Failure::Why::no_starttls, "the server does not offer STARTTLS, and TLS is required");
  }
}

void Client::tls_established() {
  tls_on_ = true;
  parser_.clear();
  capabilities_ = {};
  extended_ = false;
  out_ = "EHLO " + name_ + "\r\n";
  state_ = State::ehlo;
}

void Client::begin(OutgoingEnvelope envelope) {
  envelope_ = std::move(envelope);
  results_.assign(envelope_.recipients.size(), Reply{});
  asked_.clear();
  next_rcpt_ = rcpt_reply_ = accepted_ = 0;
  mail_ok_ = false;
  const auto refuse_here = [this](int code, const char* text) {
    answer_all(Reply::make(code, text));
    for (Reply& r : results_) r = Reply::make(code, text);
    state_ = State::done;
  };
  // RFC 6531 3.2 and RFC 6152 3: what the server cannot take must not be sent to it.
  if (envelope_.smtputf8 && !capabilities_.has("SMTPUTF8")) {
    return refuse_here(550, "5.6.7 the message needs SMTPUTF8, which the receiving server does not offer");
  }
  if (envelope_.body_8bit && !capabilities_.has("8BITMIME")) {
    return refuse_here(
        550, "5.6.3 the message has 8-bit text, which the receiving server does not take (no 8BITMIME)");
  }
  if (const auto limit = capabilities_.size_limit(); limit && envelope_.size > *limit) {
    return refuse_here(552, "5.3.4 the message is larger than the receiving server takes");
  }
  if (needs_reset_) {
    needs_reset_ = false;
    out_ = "RSET\r\n";
    state_ = State::rset;
    return;
  }
  send_envelope();
}

void Client::send_envelope() {
  state_ = State::envelope;
  out_ = "MAIL FROM:<" + envelope_.reverse_path + ">";
  if (capabilities_.has("SIZE") && envelope_.size > 0) out_ += fmt::format(" SIZE={}", envelope_.size);
  if (envelope_.body_8bit) out_ += " BODY=8BITMIME";
  if (envelope_.smtputf8) out_ += " SMTPUTF8";
  out_ += "\r\n";
  asked_.push_back(Asked::mail);
  // RFC 2920 3.1: MAIL, RCPT and DATA may go in one group, DATA last.
  if (!capabilities_.has("PIPELINING")) return;
  while (next_rcpt_ < envelope_.recipients.size()) send_next();
  send_next();
}

// The next RCPT, or DATA behind the last.
void Client::send_next() {
  if (next_rcpt_ < envelope_.recipients.size()) {
    out_ += "RCPT TO:<" + envelope_.recipients[next_rcpt_++] + ">\r\n";
    asked_.push_back(Asked::rcpt);
  } else {
    out_ += "DATA\r\n";
    asked_.push_back(Asked::data);
  }
}

void Client::answer_all(const Reply& reply) {
  for (Reply& r : results_) {
    if (r.code == 0 || r.positive()) r = reply;
  }
}

void Client::finish() {
  state_ = State::done;
  if (closing_) needs_reset_ = false;
}

void Client::take_envelope(Reply reply) {
  const Asked asked = asked_.front();
  asked_.pop_front();
  const bool pipelined = !asked_.empty() || capabilities_.has("PIPELINING");
  switch (asked) {
    case Asked::mail:
      mail_ok_ = reply.positive();
      if (!mail_ok_) answer_all(reply);
      if (!mail_ok_ && !pipelined) return finish();
      break;
    case Asked::rcpt: {
      Reply& result = results_[rcpt_reply_++];
      if (mail_ok_) {
        if (reply.positive()) ++accepted_;
        result = reply;
      }
      break;
    }
    case Asked::data:
      if (reply.code == 354 && accepted_ > 0) {
        state_ = State::body;
        return;
      }
      if (reply.code == 354) {
        // RFC 2920 3.1: a server that accepts DATA with no recipient gets an empty message, which it must
        // refuse.
        out_ = ".\r\n";
        state_ = State::end;
        return;
      }
      if (reply.positive()) {
        fail(Failure::Why::protocol, "the server answers DATA with " + reply.text(), std::move(reply));
        return;
      }
      answer_all(reply);
      needs_reset_ = mail_ok_;
      return finish();
  }
  if (closing_) {
    answer_all(reply);
    return finish();
  }
  if (pipelined) return;
  if (rcpt_reply_ == envelope_.recipients.size() && accepted_ == 0) {
    needs_reset_ = true;
    return finish();
  }
  send_next();
}

void Client::body_sent() { state_ = State::end; }

void Client::quit() {
  out_ = "QUIT\r\n";
  state_ = State::quit;
}

}  // namespace pinnace::smtp
