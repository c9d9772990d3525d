#include "smtp/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pinnace::smtp {

Server::Server(ServerOptions options) : options_(std::move(options)) {
  say(220, options_.hostname + " ESMTP Pinnace");
}

void Server::peer_closed() {
  // A transaction without its end of data is no message (RFC 5321 4.1.1.4).
  state_ = State::closed;
  out_.clear();
}

void Server::shut_down(const std::string& why) {
  if (state_ == State::closed || state_ == State::closing) return;
  say(421, "4.3.2 " + options_.hostname + " " + why);
  state_ = State::closing;
}

Server::MaybeAction Server::refuse(int code, std::string text) {
  say(code, std::move(text));
  if (++errors_ >= options_.max_errors) {
    say(421, "4.7.0 too many errors");
    state_ = State::closing;
  }
  return std::nullopt;
}

Server::Action Server::next() {
  for (;;) {
    if (const MaybeAction action = step()) return *action;
  }
}

Server::MaybeAction Server::step() {
  switch (state_) {
    case State::command:
      switch (take_line()) {
        case Line::taken:
          return run();
        case Line::refused:
          return std::nullopt;
        case Line::incomplete:
          break;
      }
      break;
    case State::body: {
      const MaybeAction action = read_body();
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
    case State::closed:
      return Action{std::exchange(in_mail_, false) ? Kind::reset : Kind::close, {}, nullptr, {}};
    default:
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
  const std::size_t end = left.find('\n');
  if (end == std::string_view::npos) {
    discarding_ = discarding_ || left.size() > kMaxCommandLine;
    in_.erase(0, discarding_ ? in_.size() : at_);
    at_ = 0;
    return Line::incomplete;
  }
  at_ += end + 1;
  if (discarding_ || end > kMaxCommandLine) {
    discarding_ = false;
    refuse(500, "5.5.2 the line is longer than 2048 octets");
    return Line::refused;
  }
  const std::string_view text = left.substr(0, end);
  if (!text.ends_with('\r') || text.find_first_of(std::string_view("\r\0", 2)) != text.size() - 1) {
    // Whoever frames lines otherwise would have us read his data as commands: no more of it.
    say(500, "5.5.2 lines end in CRLF, and hold no bare CR, LF or NUL");
    state_ = State::closing;
    return Line::refused;
  }
  line_.assign(text.substr(0, end - 1));
  return Line::taken;
}

Server::MaybeAction Server::run() {
  const Command command = parse_command(line_);
  const std::string_view line = line_;
  switch (command.verb) {
    case Verb::helo:
    case Verb::ehlo:
      return hello(command);
    case Verb::starttls:
      return starttls(command);
    case Verb::mail:
      return mail(command.argument);
    case Verb::rcpt:
      return rcpt(command.argument);
    case Verb::data:
      if (!command.argument.empty()) return refuse(501, "5.5.4 DATA takes no argument");
      if (!in_mail_) return refuse(503, "5.5.1 MAIL first");
      if (recipients_ == 0) {
        return asked_recipients_ == 0 ? refuse(503, "5.5.1 RCPT first")
                                      : refuse(554, "5.5.1 no valid recipients");
      }
      state_ = State::data_answer;
      return Action{Kind::data, {}, nullptr, line_};
    case Verb::rset:
      if (!command.argument.empty()) return refuse(501, "5.5.4 RSET takes no argument");
      say(250, "2.0.0 reset");
      return reset();
    case Verb::noop:
      say(250, "2.0.0 ok");
      return std::nullopt;
    case Verb::quit:
      if (!command.argument.empty()) return refuse(501, "5.5.4 QUIT takes no argument");
      say(221, "2.0.0 " + options_.hostname + " closing");
      state_ = State::closing;
      return std::nullopt;
    case Verb::vrfy:
      say(252, "2.5.0 send some mail, and I will try");
      return std::nullopt;
    case Verb::help:
      say(214, "2.0.0 RFC 5321");
      return std::nullopt;
    case Verb::unknown:
      break;
  }
  // A browser made to speak to us would go on with what its page's author wrote.
  if (!extended_ && client_.empty() &&
      (line.starts_with("GET ") || line.starts_with("POST ") ||
       line.find(" HTTP/") != std::string_view::npos)) {
    say(421, "4.7.0 this is SMTP");
    state_ = State::closing;
    return std::nullopt;
  }
  return refuse(500, "5.5.1 command not recognized");
}

Server::MaybeAction Server::reset() {
  const bool had_mail = std::exchange(in_mail_, false);
  recipients_ = asked_recipients_ = 0;
  if (!had_mail) return std::nullopt;
  return Action{Kind::reset, {}, nullptr, {}};
}

// RFC 5321 4.1.1.1
Server::MaybeAction Server::hello(const Command& command) {
  const std::string_view name = command.argument;
  const bool fine = !name.empty() && name.size() <= 255 &&
                    std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c != 0x7f; });
  if (!fine) return refuse(501, "5.5.4 your domain or address literal is expected");
  client_ = name;
  extended_ = command.verb == Verb::ehlo;
  Reply reply{250, {options_.hostname}};
  if (extended_) {
    reply.lines.emplace_back("PIPELINING");
    if (options_.max_message_size > 0)
      reply.lines.push_back(fmt::format("SIZE {}", options_.max_message_size));
    if (options_.eight_bit_mime) reply.lines.emplace_back("8BITMIME");
    if (options_.smtputf8) reply.lines.emplace_back("SMTPUTF8");
    if (options_.starttls && !tls_) reply.lines.emplace_back("STARTTLS");
    for (const auto& line : tls_ ? options_.tls_extensions : options_.plain_extensions)
      reply.lines.push_back(line);
    reply.lines.emplace_back("ENHANCEDSTATUSCODES");
  }
  say(reply);
  return reset();
}

Server::MaybeAction Server::starttls(const Command& command) {
  if (!command.argument.empty()) return refuse(501, "5.5.4 STARTTLS takes no argument");
  if (tls_) return refuse(503, "5.5.1 TLS is already there");
  if (!options_.starttls) return refuse(502, "5.5.1 STARTTLS is not offered");
  if (in_mail_) return refuse(503, "5.5.1 not in a mail transaction");
  // RFC 3207 4.2, CVE-2011-0411: what stands behind STARTTLS was not protected, whoever wrote it.
  if (at_ < in_.size()) {
    say(554, "5.5.1 nothing may follow STARTTLS before TLS");
    state_ = State::closing;
    return std::nullopt;
  }
  say(220, "2.0.0 ready to start TLS");
  state_ = State::tls;
  return std::nullopt;
}

void Server::tls_established() {
  tls_ = true;
  state_ = State::command;
  in_.clear();
  at_ = 0;
  // RFC 3207 4.2: everything learned before is forgotten, the client's name too.
  client_.clear();
  extended_ = false;
}

std::string Server::mail_parameters_problem() {
  for (const Parameter& p : path_.parameters) {
    if (p.keyword == "SIZE" && options_.max_message_size > 0) {
      std::uint64_t size = 0;
      const auto [end, code] = std::from_chars(p.value.data(), p.value.data() + p.value.size(), size);
      if (code != std::errc{} || end != p.value.data() + p.value.size())
        return "501 5.5.4 SIZE= takes a number";
      if (size > options_.max_message_size) {
        return fmt::format("552 5.3.4 the message has more than {} octets", options_.max_message_size);
      }
    } else if (p.keyword == "BODY" && options_.eight_bit_mime) {
      std::string value = p.value;
      std::transform(value.begin(), value.end(), value.begin(),
                     [](char c) { return c >= 'a' ? char(c - 32) : c; });
      if (value != "7BIT" && value != "8BITMIME") return "501 5.5.4 BODY= is 7BIT or 8BITMIME";
      body_8bit_ = value == "8BITMIME";
    } else if (p.keyword == "SMTPUTF8" && options_.smtputf8 && !p.has_value) {
      smtputf8_ = true;
    } else if (!options_.pass_parameters) {
      return fmt::format("555 5.5.4 the parameter {} is not known here", p.keyword);
    }
  }
  if (!path_.ascii && !smtputf8_) return "553 5.6.7 the address needs SMTPUTF8";
  return {};
}

namespace {

// "552 5.3.4 text" as a code and a text.
std::pair<int, std::string> split_reply(const std::string& line) { return {std::stoi(line), line.substr(4)}; }

}  // namespace

Server::MaybeAction Server::mail(std::string_view argument) {
  if (client_.empty()) return refuse(503, "5.5.1 EHLO or HELO first");
  if (in_mail_) return refuse(503, "5.5.1 a transaction is already open");
  auto path = parse_mail(argument);
  if (!path) return refuse(501, "5.1.7 " + path.error().detail);
  path_ = std::move(*path);
  body_8bit_ = smtputf8_ = false;
  if (const std::string problem = mail_parameters_problem(); !problem.empty()) {
    auto [code, text] = split_reply(problem);
    return refuse(code, std::move(text));
  }
  state_ = State::answering;
  asked_ = Verb::mail;
  return Action{Kind::mail, {}, &path_, line_};
}

Server::MaybeAction Server::rcpt(std::string_view argument) {
  if (!in_mail_) return refuse(503, "5.5.1 MAIL first");
  // RFC 5321 4.5.3.1.10
  if (recipients_ >= options_.max_recipients) return refuse(452, "4.5.3 too many recipients");
  ++asked_recipients_;
  auto path = parse_rcpt(argument, options_.hostname);
  if (!path) return refuse(501, "5.1.3 " + path.error().detail);
  path_ = std::move(*path);
  if (!path_.ascii && !smtputf8_) return refuse(553, "5.6.7 the address needs SMTPUTF8");
  if (!path_.parameters.empty() && !options_.pass_parameters) {
    return refuse(555, fmt::format("5.5.4 the parameter {} is not known here", path_.parameters[0].keyword));
  }
  state_ = State::answering;
  asked_ = Verb::rcpt;
  return Action{Kind::rcpt, {}, &path_, line_};
}

void Server::answer(const Reply& reply) {
  say(reply);
  const bool good = reply.positive();
  switch (state_) {
    case State::answering:
      state_ = State::command;
      if (good && asked_ == Verb::mail) {
        in_mail_ = true;
        recipients_ = asked_recipients_ = 0;
      }
      if (good && asked_ == Verb::rcpt) ++recipients_;
      break;
    case State::data_answer:
      state_ = State::command;
      if (reply.code == 354) {
        state_ = State::body;
        dots_ = DotReader();
        size_ = 0;
      }
      break;
    case State::body_answer:
      state_ = State::command;
      in_mail_ = false;
      break;
    default:
      break;
  }
  if (reply.code == 421) state_ = State::closing;
}

Server::MaybeAction Server::read_body() {
  chunk_.clear();
  at_ += dots_.read(std::string_view(in_).substr(at_), chunk_);
  if (at_ == in_.size() || at_ > (64 << 10)) {
    in_.erase(0, at_);
    at_ = 0;
  }
  size_ += chunk_.size();
  const bool too_large = options_.max_message_size > 0 && size_ > options_.max_message_size;
  const bool too_long = options_.max_text_line > 0 && dots_.longest_line() > options_.max_text_line;
  const bool refused = too_large || too_long || dots_.bare_line_end();
  if (!chunk_.empty() && !refused) return Action{Kind::body, chunk_, nullptr, {}};
  if (!dots_.ended()) return Action{Kind::read, {}, nullptr, {}};
  if (!refused) {
    state_ = State::body_answer;
    return Action{Kind::body_end, {}, nullptr, {}};
  }
  // The true end was awaited, so that the rest of the message is not taken for commands.
  state_ = State::command;
  if (dots_.bare_line_end()) {
    say(554, "5.6.0 the message has a bare CR or LF: lines end in CRLF");
  } else if (too_large) {
    say(552, fmt::format("5.3.4 the message has more than {} octets", options_.max_message_size));
  } else {
    say(554, fmt::format("5.6.0 the message has a line of more than {} octets", options_.max_text_line));
  }
  return reset();
}

}  // namespace pinnace::smtp
