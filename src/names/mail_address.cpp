#include "names/mail_address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "names/domain.hpp"

namespace pinnace::names {
namespace {

bool is_atext(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

// C0, DEL and, in UTF-8 (C2 80 to C2 9F), C1.
bool has_control(std::string_view s) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto octet = static_cast<unsigned char>(s[i]);
    if (octet < ' ' || octet == 0x7f) return true;
    if (octet == 0xc2 && i + 1 < s.size() && static_cast<unsigned char>(s[i + 1]) < 0xa0) return true;
  }
  return false;
}

bool is_dot_string(std::string_view s) {
  if (s.empty() || s.front() == '.' || s.back() == '.') return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '.' ? s[i - 1] == '.' : !is_atext(s[i])) return false;
  }
  return true;
}

// What stands between the quotes, with backslashes taken away; nothing if it is no quoted-string.
std::optional<std::string> unquote(std::string_view s) {
  if (s.size() < 2 || s.front() != '"' || s.back() != '"') return std::nullopt;
  s = s.substr(1, s.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '"') return std::nullopt;
    if (s[i] == '\\') ++i;
    if (i == s.size()) return std::nullopt;
    out += s[i];
  }
  return out;
}

std::string quote(std::string_view content) {
  std::string out = "\"";
  for (const char c : content) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

// Where the '@' stands that parts local-part and domain.
std::size_t find_at(std::string_view text) {
  if (!text.starts_with('"')) return text.find('@');
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1 < text.size() && text[i + 1] == '@' ? i + 1 : std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

bool in_brackets(std::string_view s) { return s.size() > 2 && s.front() == '[' && s.back() == ']'; }

}  // namespace

std::optional<std::string> address_literal(std::string_view text) {
  if (!in_brackets(text)) return std::nullopt;
  const std::string inside(text.substr(1, text.size() - 2));
  if (inside.find('\0') != std::string::npos) return std::nullopt;  // inet_pton would read up to it
  unsigned char bytes[16];
  char written[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET, inside.c_str(), bytes) == 1) return "[" + inside + "]";
  if (inside.size() > 5 && (inside[0] | 32) == 'i' && (inside[1] | 32) == 'p' && (inside[2] | 32) == 'v' &&
      inside[3] == '6' && inside[4] == ':' && inet_pton(AF_INET6, inside.c_str() + 5, bytes) == 1) {
    inet_ntop(AF_INET6, bytes, written, sizeof written);
    return "[IPv6:" + std::string(written) + "]";
  }
  return std::nullopt;
}

bool is_utf8(std::string_view s) {
  while (!s.empty()) {
    const std::size_t size = base::utf8_size(s);
    if (size == 0) return false;
    s.remove_prefix(size);
  }
  return true;
}

bool MailAddress::is_ascii() const {
  return std::all_of(local_.begin(), local_.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

base::Result<MailAddress> MailAddress::parse(std::string_view text) {
  const auto bad = [](std::string_view why) {
    return base::fail("names.address", fmt::format("not a mail address: {}", why));
  };
  if (text.size() > 1024) return bad("it is too long");
  const std::size_t at = find_at(text);
  if (at == std::string_view::npos) return bad("there is no '@' behind the local-part");
  std::string local(text.substr(0, at));
  if (!is_utf8(local)) return bad("the local-part is not UTF-8");
  if (has_control(local)) return bad("the local-part has a control character");
  if (local.starts_with('"')) {
    const auto content = unquote(local);
    if (!content) return bad("the quoted local-part is malformed");
    local = is_dot_string(*content) ? *content : quote(*content);
  } else if (!is_dot_string(local)) {
    return bad("the local-part has a character that only a quoted one may have, or a stray dot");
  }
  // RFC 5321 4.5.3.1.1
  if (local.size() > 64) return bad("the local-part has more than 64 octets");
  const std::string_view right = text.substr(at + 1);
  if (in_brackets(right)) {
    const auto literal = address_literal(right);
    if (!literal) return bad("the address literal is neither [192.0.2.1] nor [IPv6:2001:db8::1]");
    return MailAddress(std::move(local), *literal);
  }
  const auto domain = Domain::parse(right);
  if (!domain || right.ends_with('.')) return bad("what follows the '@' is not a domain name");
  return MailAddress(std::move(local), domain->str());
}

}  // namespace pinnace::names
