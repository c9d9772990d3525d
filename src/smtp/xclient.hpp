// XCLIENT, Postfix's extension by which a front names the client that it speaks for
// (postfix.org/XCLIENT_README): attributes, each a keyword, "=" and a value in xtext.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::smtp {

// An attribute that was not named stays as it is; one that is named as unavailable is empty.
struct Xclient {
  static constexpr std::string_view kOffer = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

  std::optional<std::string> name;
  std::optional<std::string> address;  // as text, without "IPV6:"
  std::optional<std::uint16_t> port;
  std::optional<std::string> protocol;  // "SMTP" or "ESMTP"
  std::optional<std::string> helo;
  std::optional<std::string> login;
  std::optional<std::string> local_address;
  std::optional<std::uint16_t> local_port;
};

// Error: "smtp.syntax".
base::Result<Xclient> parse_xclient(std::string_view argument);

}  // namespace pinnace::smtp
