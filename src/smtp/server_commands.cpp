// What the server does with each command (RFC 5321 4.1.1).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "smtp/keyword.hpp"
#include "smtp/server.hpp"

namespace pinnace::smtp {

Server::MaybeAction Server::refuse(int code, std::string text) {
  say(code, std::move(text));
  count_error();
  return std::nullopt;
}

void Server::count_error() {
  if (++errors_ >= options_.max_errors) close(421, "4.7.0 too many errors");
}

void Server::count_idle() {
  if (++idle_ > options_.max_idle) count_error();
}

Server::MaybeAction Server::run() {
  const Command command = parse_command(line_);
  const bool bare = command.argument.empty();
  switch (command.verb) {
    case Verb::helo:
    case Verb::ehlo:
      return hello(command);
    case Verb::mail:
      return mail(command.argument);
    case Verb::rcpt:
      return rcpt(command.argument);
    case Verb::starttls:
      return bare ? starttls() : refuse(501, "5.5.4 STARTTLS takes no argument");
    case Verb::data:
      return bare ? data() : refuse(501, "5.5.4 DATA takes no argument");
    case Verb::bdat:
      return bdat(command.argument);
    case Verb::rset:
      if (!bare) return refuse(501, "5.5.4 RSET takes no argument");
      say(250, "2.0.0 reset");
      count_idle();
      return reset();
    case Verb::quit:
      if (!bare) return refuse(501, "5.5.4 QUIT takes no argument");
      close(221, "2.0.0 " + options_.hostname + " closing");
      return std::nullopt;
    case Verb::noop:
      say(250, "2.0.0 ok");
      break;
    case Verb::vrfy:
      if (bare) return refuse(501, "5.5.4 VRFY takes an address");
      say(252, "2.5.0 send some mail, and I will try");
      break;
    case Verb::expn:
      return refuse(502, "5.5.1 no list is expanded here");
    case Verb::etrn:
      return refuse(502, "5.5.1 no queue is started from here");
    case Verb::help:
      say(214, "2.0.0 RFC 5321; EHLO says what there is besides");
      break;
    case Verb::auth:
      return auth(command.argument);
    case Verb::xclient:
      return xclient(command.argument);
    case Verb::unknown:
      return unknown();
  }
  count_idle();
  return std::nullopt;
}

Server::MaybeAction Server::unknown() {
  // A browser made to speak to us would go on with what its page's author wrote.
  const std::string_view line = line_;
  const bool http =
      line.starts_with("GET ") || line.starts_with("POST ") || line.find(" HTTP/") != std::string_view::npos;
  if (!http || !client_.empty()) return refuse(500, "5.5.1 command not recognized");
  close(421, "4.7.0 this is SMTP");
  return std::nullopt;
}

// RFC 5321 4.1.1.1
Server::MaybeAction Server::hello(const Command& command) {
  const std::string_view name = command.argument;
  const bool fine = !name.empty() && name.size() <= 255 &&
                    std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!fine) return refuse(501, "5.5.4 your domain or address literal is expected");
  client_ = name;
  extended_ = command.verb == Verb::ehlo;
  Reply reply{250, {options_.hostname}};
  if (extended_) {
    reply.lines.emplace_back("PIPELINING");
    if (options_.max_message_size > 0)
      reply.lines.push_back(fmt::format("SIZE {}", options_.max_message_size));
    if (options_.eight_bit_mime) reply.lines.emplace_back("8BITMIME");
    if (options_.chunking) reply.lines.emplace_back("CHUNKING");
    if (binary_mime()) reply.lines.emplace_back("BINARYMIME");
    if (options_.smtputf8) reply.lines.emplace_back("SMTPUTF8");
    if (options_.dsn) reply.lines.emplace_back("DSN");
    if (options_.requiretls && tls_) reply.lines.emplace_back("REQUIRETLS");
    if (options_.starttls && !tls_) reply.lines.emplace_back("STARTTLS");
    // RFC 4954 4: not where AUTH would be refused.
    if (options_.auth && tls_ && user_.empty()) reply.lines.emplace_back("AUTH PLAIN LOGIN");
    if (options_.xclient) reply.lines.emplace_back(Xclient::kOffer);
    const auto& more = tls_ ? options_.tls_extensions : options_.plain_extensions;
    reply.lines.insert(reply.lines.end(), more.begin(), more.end());
    if (tls_ && more_inside_) {
      const auto lines = more_inside_();
      reply.lines.insert(reply.lines.end(), lines.begin(), lines.end());
    }
    reply.lines.emplace_back("ENHANCEDSTATUSCODES");
  }
  out_ += reply.wire();
  count_idle();
  return reset();
}

Server::MaybeAction Server::starttls() {
  if (tls_) return refuse(503, "5.5.1 TLS is already there");
  if (!options_.starttls) return refuse(502, "5.5.1 STARTTLS is not offered");
  if (transaction_ == Transaction::open) return refuse(503, "5.5.1 not in a mail transaction");
  // RFC 3207 4.2, CVE-2011-0411: what stands behind STARTTLS was not protected, whoever wrote it.
  if (at_ < in_.size()) {
    close(554, "5.5.1 nothing may follow STARTTLS before TLS");
    return std::nullopt;
  }
  say(220, "2.0.0 ready to start TLS");
  state_ = State::tls;
  return std::nullopt;
}

bool Server::take_parameter(const Parameter& p) {
  if (p.keyword == "SIZE" && options_.max_message_size > 0) {
    std::uint64_t size = 0;
    const char* const last = p.value.data() + p.value.size();
    const auto [end, code] = std::from_chars(p.value.data(), last, size);
    if (end != last || code == std::errc::invalid_argument) {
      refuse(501, "5.5.4 SIZE= takes a number");
      return false;
    }
    // RFC 1870 6.1
    if (code == std::errc{} && size <= options_.max_message_size) return true;
    refuse(552, fmt::format("5.3.4 the message has more than {} octets", options_.max_message_size));
    return false;
  }
  if (p.keyword == "BODY" && options_.eight_bit_mime) {
    const std::string value = keyword(p.value);
    const bool again = body_ != Body::unset;
    body_ = value == "7BIT"                          ? Body::seven_bit
            : value == "8BITMIME"                    ? Body::eight_bit
            : value == "BINARYMIME" && binary_mime() ? Body::binary
                                                     : Body::unset;
    if (body_ != Body::unset && !again) return true;
    refuse(501, again           ? "5.5.4 BODY= comes twice"
                : binary_mime() ? "5.5.4 BODY= is 7BIT, 8BITMIME or BINARYMIME"
                                : "5.5.4 BODY= is 7BIT or 8BITMIME");
    return false;
  }
  if (p.keyword == "SMTPUTF8" && options_.smtputf8 && !p.has_value) {
    smtputf8_ = true;
    return true;
  }
  // RFC 8689 2: inside TLS only, and it has no value.
  if (p.keyword == "REQUIRETLS" && options_.requiretls && tls_) {
    requiretls_ = !p.has_value;
    if (requiretls_) return true;
    refuse(501, "5.5.4 REQUIRETLS takes no value");
    return false;
  }
  if (p.keyword == "AUTH" && options_.auth) return take_auth_parameter(p);
  if (options_.dsn) {
    const auto taken = mail_dsn_.take(p);
    if (!taken) refuse(501, "5.5.4 " + taken.error().detail);  // RFC 3461 5.1 a
    if (!taken || *taken) return taken.has_value();
  }
  // RFC 8689 4.2: what it demands ends where it is not offered, so a front must not pass it on unasked.
  if (options_.pass_parameters && p.keyword != "REQUIRETLS") return true;
  refuse(555, fmt::format("5.5.4 the parameter {} is not known here", p.keyword));
  return false;
}

bool Server::take_rcpt_parameter(const Parameter& p) {
  if (options_.dsn) {
    const auto taken = rcpt_dsn_.take(p, smtputf8_);
    if (!taken) refuse(501, "5.5.4 " + taken.error().detail);  // RFC 3461 5.1 b
    if (!taken || *taken) return taken.has_value();
  }
  if (options_.pass_parameters) return true;
  refuse(555, fmt::format("5.5.4 the parameter {} is not known here", p.keyword));
  return false;
}

Server::MaybeAction Server::mail(std::string_view argument) {
  if (client_.empty()) return refuse(503, "5.5.1 EHLO or HELO first");
  if (transaction_ == Transaction::open) return refuse(503, "5.5.1 a transaction is already open");
  transaction_ = Transaction::refused;  // until it is answered otherwise
  // RFC 3207 4, RFC 6409 4.3
  if (options_.auth_required && !tls_ && options_.starttls) return refuse(530, "5.7.0 STARTTLS first");
  if (options_.auth_required && user_.empty()) return refuse(530, "5.7.0 AUTH first");
  auto path = parse_mail(argument);
  if (!path) return refuse(501, "5.1.7 " + path.error().detail);
  path_ = std::move(*path);
  body_ = Body::unset;
  smtputf8_ = requiretls_ = false;
  mail_dsn_ = {};
  for (const Parameter& p : path_.parameters) {
    if (!take_parameter(p)) return std::nullopt;
  }
  // RFC 6531 3.5
  if (!path_.ascii && !smtputf8_) return refuse(550, "5.6.7 the address needs SMTPUTF8");
  return ask(Kind::mail);
}

// What a client sent in one group with a MAIL that was then refused is no error of its own.
Server::MaybeAction Server::out_of_turn() {
  if (transaction_ == Transaction::none) return refuse(503, "5.5.1 MAIL first");
  say(503, "5.5.1 the transaction was refused: RSET or MAIL");
  count_idle();
  return std::nullopt;
}

Server::MaybeAction Server::rcpt(std::string_view argument) {
  if (transaction_ != Transaction::open) return out_of_turn();
  if (chunks_.begun) return refuse(503, "5.5.1 the message has begun");
  // RFC 5321 4.5.3.1.10: the client keeps the rest for another transaction; it has done nothing wrong.
  if (recipients_ >= options_.max_recipients) {
    say(452, "4.5.3 too many recipients");
    return std::nullopt;
  }
  ++asked_recipients_;
  auto path = parse_rcpt(argument, options_.hostname);
  if (!path) return refuse(501, "5.1.3 " + path.error().detail);
  path_ = std::move(*path);
  if (!path_.ascii && !smtputf8_) return refuse(553, "5.6.7 the address needs SMTPUTF8");
  rcpt_dsn_ = {};
  for (const Parameter& p : path_.parameters) {
    if (!take_rcpt_parameter(p)) return std::nullopt;
  }
  return ask(Kind::rcpt);
}

bool Server::no_data_now() {
  if (transaction_ != Transaction::open) {
    out_of_turn();
  } else if (recipients_ > 0) {
    return false;
  } else if (asked_recipients_ == 0) {
    refuse(503, "5.5.1 RCPT first");
  } else {
    say(554, "5.5.1 no valid recipients");  // RFC 2920 3.1: it could not know
    count_idle();
  }
  return true;
}

Server::MaybeAction Server::data() {
  if (no_data_now()) return std::nullopt;
  // RFC 3030 2, 3
  if (chunks_.begun) return refuse(503, "5.5.1 the message has begun by BDAT");
  if (body_binary()) return refuse(503, "5.5.1 BODY=BINARYMIME needs BDAT");
  return ask(Kind::data);
}

}  // namespace pinnace::smtp
