// Framing, answers and the message's text. The commands are in server_commands.cpp, BDAT in server_bdat.cpp.
#include "smtp/server.hpp"

#include <fmt/format.h>

#include <utility>

namespace pinnace::smtp {

Server::Server(ServerOptions options) : options_(std::move(options)) {
  options_.smtputf8 = options_.smtputf8 && options_.eight_bit_mime;
  if (options_.tls_first) {
    state_ = State::tls;
  } else {
    greet();
  }
}

void Server::greet() { say(220, options_.hostname + " ESMTP Pinnace"); }

void Server::peer_closed() {
  // A transaction without its end of data is no message (RFC 5321 4.1.1.4).
  state_ = State::closed;
  out_.clear();
}

void Server::close(int code, std::string text) {
  say(code, std::move(text));
  state_ = State::closing;
}

void Server::shut_down(const std::string& why) {
  switch (state_) {
    case State::answering:
      shut_down_ = why;
      return;
    case State::tls:  // the client reads nothing in the clear any more
      state_ = State::closing;
      return;
    case State::command:
    case State::exchange:
    case State::body:
    case State::chunk:
      return close(421, "4.3.2 " + options_.hostname + " " + why);
    case State::closing:
    case State::closed:
      return;
  }
}

Server::Action Server::next() {
  for (;;) {
    if (const MaybeAction action = step()) return *action;
  }
}

Server::MaybeAction Server::step() {
  switch (state_) {
    case State::command:
    case State::exchange: {
      if (out_.size() > kMaxReplies) break;
      const bool command = state_ == State::command;
      const Line line = take_line();
      if (line == Line::taken && !command) return take_response(line_);
      if (line == Line::taken) return run();
      if (line == Line::refused) return std::nullopt;
      break;
    }
    case State::body:
    case State::chunk: {
      const MaybeAction action = state_ == State::body ? read_body() : read_chunk();
      if (!action || action->kind != Kind::read) return action;
      break;
    }
    case State::tls:
      if (out_.empty()) return Action{Kind::start_tls, {}, nullptr, {}};
      break;
    case State::closing:
      if (!out_.empty()) break;
      state_ = State::closed;
      return std::nullopt;
    case State::closed: {
      const bool open = std::exchange(transaction_, Transaction::none) == Transaction::open;
      return Action{open ? Kind::reset : Kind::close, {}, nullptr, {}};
    }
    case State::answering:
      break;  // an answer() is due
  }
  if (out_.empty()) return Action{Kind::read, {}, nullptr, {}};
  sending_.swap(out_);
  out_.clear();
  return Action{Kind::send, sending_, nullptr, {}};
}

// RFC 5321 2.3.8: CRLF ends a line, and no other sequence may be taken for an end.
Server::Line Server::take_line() {
  const std::string_view left = std::string_view(in_).substr(at_);
  const bool response = state_ == State::exchange;
  const std::size_t most = response ? kMaxResponse : kMaxCommandLine;
  const std::size_t end = left.find('\n');
  if (end == std::string_view::npos) {
    discarding_ = discarding_ || left.size() > most;
    in_.erase(0, discarding_ ? in_.size() - 1 : at_);  // the last octet may be the end's CR
    at_ = 0;
    return Line::incomplete;
  }
  at_ += end + 1;
  const bool too_long_line = std::exchange(discarding_, false) || end > most;
  const std::string_view text = left.substr(0, end);
  if (!text.ends_with('\r') || text.find_first_of(std::string_view("\r\0", 2)) != text.size() - 1) {
    // Whoever frames lines otherwise would have us read his data as commands: no more of it.
    close(500, "5.5.2 lines end in CRLF, and hold no bare CR, LF or NUL");
    return Line::refused;
  }
  if (too_long_line) {
    if (response) state_ = State::command;  // RFC 4954 4: the exchange ends with 500 5.5.6
    refuse(500, fmt::format("5.5.{} the line is longer than {} octets", response ? 6 : 2, most));
    return Line::refused;
  }
  line_.assign(text.substr(0, end - 1));
  return Line::taken;
}

Server::MaybeAction Server::ask(Kind kind) {
  state_ = State::answering;
  asked_ = kind;
  Action action{kind, {}, kind == Kind::mail || kind == Kind::rcpt ? &path_ : nullptr, line_};
  action.login = &login_;
  action.xclient = &xclient_;
  return action;
}

void Server::answer(const Reply& reply) {
  const bool chunk = asked_ == Kind::data && chunks_.begun;  // whose reply is due behind it
  if (!chunk || reply.code == 421) out_ += reply.wire();
  const bool here = state_ == State::answering;  // or the client is gone
  if (here) state_ = State::command;
  switch (std::exchange(asked_, Kind::read)) {
    case Kind::auth:
      take_auth_answer(reply);
      break;
    case Kind::xclient:
      take_xclient_answer(reply);
      break;
    case Kind::mail:
      transaction_ = reply.completed() ? Transaction::open : Transaction::refused;
      recipients_ = asked_recipients_ = 0;
      chunks_.begun = false;
      break;
    case Kind::rcpt:
      if (reply.completed()) ++recipients_;
      if (here && recipients_ == 0) count_idle();
      break;
    case Kind::data:
      if (chunk) {
        if (here) state_ = State::chunk;
        if (reply.code != 354) chunks_.refusal = reply.wire();
        break;
      }
      if (reply.code != 354 || !here) break;
      state_ = State::body;
      dots_ = DotReader();
      chunks_.lines = TextLines();
      size_ = 0;
      break;
    case Kind::body_end:
      transaction_ = Transaction::none;
      if (reply.completed()) errors_ = idle_ = 0;
      break;
    default:
      break;
  }
  if (here && reply.code == 421) {
    state_ = State::closing;
  } else if (!shut_down_.empty()) {
    shut_down(shut_down_);
  }
}

void Server::become(std::string hostname, std::function<std::vector<std::string>()> tls_extensions) {
  options_.hostname = std::move(hostname);
  more_inside_ = std::move(tls_extensions);
}

void Server::tls_established() {
  tls_ = true;
  state_ = State::command;
  in_.clear();
  at_ = 0;
  // RFC 3207 4.2: everything learned before is forgotten, the client's name too.
  client_.clear();
  extended_ = false;
  if (options_.tls_first) greet();
}

void Server::take_input(std::size_t octets) {
  constexpr std::size_t kKeep = 64 << 10;  // so much may be done with before it is moved out of the way
  at_ += octets;
  if (at_ < in_.size() && at_ <= kKeep) return;
  in_.erase(0, at_);
  at_ = 0;
}

Server::MaybeAction Server::read_body() {
  chunk_.clear();
  take_input(dots_.read(std::string_view(in_).substr(at_), chunk_));
  size_ += chunk_.size();
  const bool refused = too_large() || too_long() || bare_line_end() || nul();
  if (!chunk_.empty() && !refused) return Action{Kind::body, chunk_, nullptr, {}};
  // A refusal too awaits the true end: the rest of the message must not be taken for commands.
  if (!dots_.ended()) return Action{Kind::read, {}, nullptr, {}};
  return end_body();
}

bool Server::refuse_text() {
  if (bare_line_end()) {
    refuse(554, "5.6.0 the message has a bare CR or LF: lines end in CRLF");
  } else if (nul()) {
    // RFC 2045 2.8: a NUL is in binary data only. Where the next server drops it, CRLF NUL . CRLF is an end.
    refuse(554, "5.6.0 the message has a NUL");
  } else if (too_large()) {
    refuse(552, fmt::format("5.3.4 the message has more than {} octets", options_.max_message_size));
  } else if (too_long()) {
    refuse(554, fmt::format("5.6.0 the message has a line of more than {} octets", options_.max_text_line));
  } else {
    return false;
  }
  return true;
}

Server::MaybeAction Server::end_body() {
  state_ = State::command;
  return refuse_text() ? reset() : ask(Kind::body_end);
}

Server::MaybeAction Server::reset() {
  const bool open = std::exchange(transaction_, Transaction::none) == Transaction::open;
  if (!open) return std::nullopt;
  return Action{Kind::reset, {}, nullptr, {}};
}

}  // namespace pinnace::smtp
