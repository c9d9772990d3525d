// The session: greeting, EHLO, STARTTLS, and what may go wrong at any time. The
// transaction is in client_transaction.cpp.
#include "smtp/client.hpp"

#include <fmt/format.h>

namespace pinnace::smtp {

Client::Client(std::string ehlo_name, Tls tls, Protocol protocol)
    : name_(std::move(ehlo_name)), tls_(tls), protocol_(protocol) {}

void Client::fail(Failure::Why why, std::string detail) {
  if (answered_ > 0) return leave_unanswered(detail);
  failure_ = {why, std::move(detail), std::nullopt, may_have_it()};
  state_ = State::failed;
  out_.clear();
}

void Client::fail(Failure::Why why, std::string_view what, Reply reply) {
  fail(why, fmt::format("{}: {}", what, reply.text()));
  // A reply out of its place says nothing about the mail: nobody may take its code for a verdict.
  if (why != Failure::Why::protocol) failure_.reply = std::move(reply);
}

// Every reply to a command is behind it: what is there already was said by a server that does not
// listen, or by somebody else, and would be taken for the answer.
void Client::ask(Asked what, std::string_view line) {
  if (asked_.empty() && parser_.pending()) {
    fail(what == Asked::starttls ? Failure::Why::injected : Failure::Why::protocol,
         "the server says something before it is asked");
    return;
  }
  asked_.push_back(what);
  out_ += line;
  out_ += "\r\n";
  state_ = State::talking;
}

Client::Action Client::next() {
  for (;;) {
    if (state_ == State::failed) return {Kind::failed, {}};
    if (state_ == State::closed) return {Kind::closed, {}};
    if (state_ == State::done) {
      state_ = State::ready;
      return {Kind::done, {}};
    }
    // What stands before a chunk goes out with it.
    if (!out_.empty() && !gone_ && state_ != State::text) {
      sending_.swap(out_);
      out_.clear();
      return {Kind::send, sending_};
    }
    if (state_ == State::tls && !gone_) return {Kind::start_tls, {}};
    if (state_ == State::ready && !gone_) return {Kind::ready, {}};
    if (state_ == State::text && !out_.empty() && !gone_) return {Kind::send_body, {}};
    auto reply = parser_.next();
    if (!reply) {
      fail(Failure::Why::protocol, std::move(reply.error().detail));
    } else if (*reply) {
      take(std::move(**reply));
    } else if (gone_) {
      lose();
    } else {
      return {state_ == State::text ? Kind::send_body : Kind::read, {}};
    }
  }
}

void Client::lose() {
  const Asked last = asked_.empty() ? Asked::greeting : asked_.front();
  if (last == Asked::quit) {
    state_ = State::closed;
    return;
  }
  fail(Failure::Why::lost,
       may_have_it() ? "the connection was lost after the message was sent, before the server answered"
                     : "the server closed the connection");
}

void Client::take(Reply reply) {
  if (asked_.empty()) return take_early(std::move(reply));
  const Asked asked = asked_.front();
  asked_.pop_front();
  if (reply.code / 100 == 3 && asked != Asked::data) {
    fail(Failure::Why::protocol, "the server wants more where there is no more", std::move(reply));
    return;
  }
  // RFC 5321 3.8: 421 may answer anything, and the server closes. From RCPT on it is the recipients'
  // answer; before, the session was of no use to anybody.
  closing_ = closing_ || reply.code == 421;
  if (closing_ && asked < Asked::rcpt) {
    fail(Failure::Why::lost, "the server is closing", std::move(reply));
    return;
  }
  switch (asked) {
    case Asked::greeting:
      return take_greeting(std::move(reply));
    case Asked::ehlo:
      return take_ehlo(std::move(reply));
    case Asked::helo:
      return take_helo(std::move(reply));
    case Asked::starttls:
      return take_starttls(std::move(reply));
    case Asked::rset:
      return take_rset(std::move(reply));
    case Asked::mail:
      return take_mail(reply);
    case Asked::rcpt:
      return take_rcpt(std::move(reply));
    case Asked::data:
      return take_data(std::move(reply));
    case Asked::chunk:
      return take_chunk(std::move(reply));
    case Asked::text:
      return take_end(std::move(reply));
    case Asked::quit:
      state_ = State::closed;
  }
}

void Client::take_greeting(Reply reply) {
  if (reply.code == 220) return ask(Asked::ehlo, hello());
  // RFC 7504 3: 521 is said by a host that takes no mail, whoever it is from.
  const char* const what = reply.code == 521 ? "the host takes no mail" : "the server does not take mail now";
  fail(Failure::Why::refused, what, std::move(reply));
}

// RFC 2033 4.1: LMTP has LHLO, of the same syntax, and neither EHLO nor HELO.
std::string Client::hello() const { return (protocol_ == Protocol::lmtp ? "LHLO " : "EHLO ") + name_; }

void Client::take_ehlo(Reply reply) {
  if (!reply.completed()) {
    const bool lmtp = protocol_ == Protocol::lmtp;
    // RFC 5321 3.2: an old server knows HELO. Never where TLS is a must: HELO has no STARTTLS.
    if (!lmtp && tls_ != Tls::required && !tls_on_ && reply.permanent())
      return ask(Asked::helo, "HELO " + name_);
    fail(Failure::Why::refused, lmtp ? "the server refuses LHLO" : "the server refuses EHLO",
         std::move(reply));
    return;
  }
  capabilities_ = Capabilities(reply);
  state_ = State::ready;
  if (tls_on_) return;
  plain_capabilities_ = capabilities_;
  if (tls_ == Tls::none) return;
  if (capabilities_.has("STARTTLS")) return ask(Asked::starttls, "STARTTLS");
  if (tls_ != Tls::required) return;
  fail(Failure::Why::no_starttls, "the server does not offer STARTTLS");
}

void Client::take_helo(Reply reply) {
  state_ = State::ready;
  if (reply.completed()) return;
  fail(Failure::Why::refused, "the server refuses HELO", std::move(reply));
}

void Client::take_starttls(Reply reply) {
  if (reply.code == 220) {
    state_ = State::tls;
    // CVE-2021-38371: what comes behind this reply in the clear would be read as if inside TLS.
    if (!parser_.pending()) return;
    fail(Failure::Why::injected,
         "unprotected data follows the reply to STARTTLS: somebody may be injecting replies");
    return;
  }
  state_ = State::ready;
  if (tls_ != Tls::required) {
    starttls_refusal_ = std::move(reply);
    return;
  }
  fail(Failure::Why::starttls_refused, "the server refuses STARTTLS", std::move(reply));
}

// RFC 3207 4.2: what was learned before is forgotten, and EHLO said anew.
void Client::tls_established() {
  tls_on_ = true;
  parser_.clear();
  capabilities_ = {};
  ask(Asked::ehlo, hello());
}

bool Client::can_quit() const {
  using Why = Failure::Why;
  const bool refused =
      state_ == State::failed && (failure_.why == Why::no_starttls || failure_.why == Why::starttls_refused ||
                                  failure_.why == Why::refused);
  const bool waits = state_ == State::ready || state_ == State::tls || refused;
  return waits && !closing_ && !gone_ && !parser_.pending();
}

void Client::quit() {
  if (state_ == State::tls) {
    tls_on_ = true;
    parser_.clear();
  }
  ask(Asked::quit, "QUIT");
}

}  // namespace pinnace::smtp
