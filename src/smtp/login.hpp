// What a client proves its identity with (RFC 4954), by the mechanisms PLAIN (RFC 4616) and LOGIN.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::smtp {

struct Login {
  static constexpr std::size_t kMost = 255;  // octets of a user's name, and of a password (RFC 4616 2)

  std::string user;
  std::string password;
};

// The message of PLAIN, its base64 taken away: [identity to act as] NUL user NUL password. Errors:
// "smtp.syntax"; "smtp.identity" where the user would act as another.
base::Result<Login> parse_plain(std::string_view message);

}  // namespace pinnace::smtp
