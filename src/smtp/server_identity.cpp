// Who the client is: AUTH (RFC 4954), and XCLIENT of a front that speaks for another.
#include <fmt/format.h>

#include <utility>

#include "base/base64.hpp"
#include "names/mail_address.hpp"
#include "smtp/dsn_parameters.hpp"
#include "smtp/keyword.hpp"
#include "smtp/server.hpp"

namespace pinnace::smtp {

// RFC 4954 4
Server::MaybeAction Server::auth(std::string_view argument) {
  if (!options_.auth) return refuse(502, "5.5.1 AUTH is not offered");
  if (client_.empty()) return refuse(503, "5.5.1 EHLO first");
  if (!tls_) return refuse(538, "5.7.11 TLS first: the password must not be read on its way");
  if (!user_.empty()) return refuse(503, "5.5.1 you are known already");
  if (transaction_ == Transaction::open) return refuse(503, "5.5.1 not in a mail transaction");
  const std::size_t space = argument.find(' ');
  const std::string mechanism = keyword(argument.substr(0, space));
  std::string_view initial;
  if (space != std::string_view::npos) initial = argument.substr(space + 1);
  login_ = {};
  if (mechanism == "PLAIN") {
    exchange_ = Exchange::plain;
  } else if (mechanism == "LOGIN") {
    exchange_ = Exchange::login_user;
  } else {
    return refuse(504, "5.5.4 PLAIN and LOGIN are known here");
  }
  if (!initial.empty()) return take_response(initial == "=" ? std::string_view() : initial);
  challenge();
  return std::nullopt;
}

void Server::challenge() {
  state_ = State::exchange;
  switch (exchange_) {
    case Exchange::plain:
      return say(334, "");  // RFC 4954 4: an empty challenge
    case Exchange::login_user:
      return say(334, base::base64_encode("Username:"));
    case Exchange::login_password:
      return say(334, base::base64_encode("Password:"));
  }
}

Server::MaybeAction Server::take_response(std::string_view line) {
  state_ = State::command;
  if (line == "*") return refuse(501, "5.7.0 the login was cancelled");
  const auto text = base::base64_decode(line);
  if (!text) return refuse(501, "5.5.2 that is no base64");
  switch (exchange_) {
    case Exchange::plain: {
      auto login = parse_plain(*text);
      if (!login && login.error().code == "smtp.identity")
        return refuse(535, "5.7.8 " + login.error().detail);
      if (!login) return refuse(501, "5.5.2 " + login.error().detail);
      login_ = std::move(*login);
      return ask(Kind::auth);
    }
    case Exchange::login_user:
      login_.user = *text;
      exchange_ = Exchange::login_password;
      challenge();
      return std::nullopt;
    case Exchange::login_password:
      login_.password = *text;
      break;
  }
  // The rules for user and password are those of PLAIN.
  auto login = parse_plain('\0' + login_.user + '\0' + login_.password);
  if (!login) return refuse(501, "5.5.2 " + login.error().detail);
  return ask(Kind::auth);
}

void Server::take_auth_answer(const Reply& reply) {
  if (reply.completed()) user_ = login_.user;
  login_ = {};
  std::fill(line_.begin(), line_.end(), '\0');
  if (reply.completed() || state_ != State::command) return;
  if (reply.code == 535 && ++failed_logins_ >= options_.max_failed_logins) {
    close(421, "4.7.0 too many failed logins");
  } else {
    count_error();
  }
}

// RFC 4954 5: who the message is from, as whoever submitted it knows. Nobody whom that binds is asked
// for a login here, so it has to be well-formed and means nothing more.
bool Server::take_auth_parameter(const Parameter& p) {
  const auto value = decode_xtext(p.value);
  if (value && p.has_value && (*value == "<>" || names::MailAddress::parse(*value))) return true;
  refuse(501, "5.5.4 AUTH= takes a mailbox, or <>");
  return false;
}

// What of the session binds the front is forgotten; it is as if the named client had just connected.
Server::MaybeAction Server::xclient(std::string_view argument) {
  if (!options_.xclient) return refuse(550, "5.7.0 you may not speak for others here");
  if (transaction_ == Transaction::open) return refuse(503, "5.5.1 not in a mail transaction");
  auto named = parse_xclient(argument);
  if (!named) return refuse(501, "5.5.4 " + named.error().detail);
  xclient_ = std::move(*named);
  return ask(Kind::xclient);
}

void Server::take_xclient_answer(const Reply& reply) {
  if (reply.code != 220) return;
  client_.clear();
  extended_ = false;
  if (xclient_.address) {
    // Most fronts hand the connection through from here on: what comes may be the client's own words. It is
    // no front, and the front's login is not its own.
    options_.xclient = false;
    user_.clear();
  }
  if (xclient_.login) user_ = *xclient_.login;
  if (xclient_.helo) named_client_ = *xclient_.helo;
  if (xclient_.protocol) named_protocol_ = *xclient_.protocol;
}

}  // namespace pinnace::smtp
