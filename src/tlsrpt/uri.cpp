#include "tlsrpt/uri.hpp"

#include <algorithm>
#include <string>

#include "names/mail_address.hpp"

namespace pinnace::tlsrpt {
namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 32);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 3986 2: unreserved, "%" and two hexadecimal digits, sub-delims without those that RFC 8460 3 wants
// escaped, and `more`.
bool only(std::string_view s, std::string_view more) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '%') {
      if (i + 2 >= s.size() || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0) return false;
    } else if (!is_alpha(s[i]) && !is_digit(s[i]) &&
               std::string_view("-._~$&'()*+=").find(s[i]) == std::string_view::npos &&
               more.find(s[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

// What stands in front of the first of `ends`; the rest stays in `s`.
std::string_view cut(std::string_view& s, std::string_view ends) {
  const std::string_view front = s.substr(0, s.find_first_of(ends));
  s.remove_prefix(front.size());
  return front;
}

struct Uri {
  std::string scheme;  // lower case
  std::string_view host, path;
};

// RFC 3986 3.2: [userinfo "@"] host [":" port]
bool read_authority(std::string_view text, Uri& to) {
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    if (!only(text.substr(0, at), ":")) return false;
    text.remove_prefix(at + 1);
  }
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1 || !only(text.substr(1, close - 1), ":")) return false;
    end = close + 1;
  } else if (!only(text.substr(0, end), "")) {
    return false;
  }
  to.host = text.substr(0, end);
  const std::string_view port = text.substr(std::min(to.host.size(), text.size()));
  return port.empty() || (port[0] == ':' && std::all_of(port.begin() + 1, port.end(), is_digit));
}

// RFC 3986 3
bool read(std::string_view text, Uri& to) {
  const std::string_view scheme = cut(text, ":");
  if (text.empty() || scheme.empty() || !is_alpha(scheme[0])) return false;
  for (const char c : scheme) {
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return false;
    to.scheme += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  text.remove_prefix(1);
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    if (!read_authority(cut(text, "/?#"), to)) return false;
  }
  to.path = cut(text, "?#");
  if (!only(to.path, "/:@")) return false;
  if (text.starts_with('?') && !only(cut(text, "#"), "?/:@")) return false;
  return text.empty() || only(text.substr(1), "?/:@");
}

// RFC 6068 2: an address whose odd characters are escaped.
bool is_address(std::string_view path) {
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') {
      text += static_cast<char>(hex(path[i + 1]) << 4 | hex(path[i + 2]));
      i += 2;
    } else {
      text += path[i];
    }
  }
  return names::MailAddress::parse(text).has_value();
}

}  // namespace

UriKind uri_kind(std::string_view text) {
  Uri uri;
  if (!read(text, uri)) return UriKind::none;
  if (uri.scheme == "mailto" && uri.host.empty() && is_address(uri.path)) return UriKind::mailto;
  if (uri.scheme == "https" && !uri.host.empty()) return UriKind::https;
  return UriKind::other;
}

}  // namespace pinnace::tlsrpt
