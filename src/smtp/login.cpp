#include "smtp/login.hpp"

namespace pinnace::smtp {

base::Result<Login> parse_plain(std::string_view message) {
  const std::size_t first = message.find('\0');
  const std::size_t second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos || message.find('\0', second + 1) != std::string_view::npos)
    return base::fail("smtp.syntax", "two NULs are expected, before the user and before the password");
  const std::string_view identity = message.substr(0, first);
  Login out{std::string(message.substr(first + 1, second - first - 1)),
            std::string(message.substr(second + 1))};
  const auto fits = [](const std::string& s) { return !s.empty() && s.size() <= Login::kMost; };
  if (!fits(out.user) || !fits(out.password))
    return base::fail("smtp.syntax", "user and password have 1 to 255 octets each");
  // RFC 4616 2: nobody here may act as somebody else.
  if (!identity.empty() && identity != out.user)
    return base::fail("smtp.identity", "one user may not act as another");
  return out;
}

}  // namespace pinnace::smtp
