#include "mime/received.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::mime {
namespace {

// A name that cannot end the line, the comment or the token it stands in.
std::string harmless(std::string_view s) {
  std::string out(s.substr(0, 255));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return c <= ' ' || c >= 0x7f || c == '(' || c == ')' || c == '\\' || c == ';'; }, '?');
  return out.empty() ? "unknown" : out;
}

}  // namespace

std::string received_field(const Trace& t) {
  // RFC 3848 and RFC 6531 4.3: the protocol says what was used.
  const std::string with = t.smtputf8   ? (t.tls ? "UTF8SMTPS" : "UTF8SMTP")
                           : t.extended ? (t.tls ? "ESMTPS" : "ESMTP")
                                        : "SMTP";
  const std::string ip = t.client_ip.find(':') == std::string::npos ? t.client_ip : "IPv6:" + t.client_ip;
  std::string out = fmt::format("Received: from {} ([{}])\r\n", harmless(t.client_name), ip);
  if (t.tls) out += fmt::format("\t(using {})\r\n", harmless(t.tls_text));
  out += fmt::format("\tby {} with {} id {}", t.by, with, t.id);
  if (!t.recipient.empty()) out += fmt::format("\r\n\tfor <{}>", t.recipient);
  return out + fmt::format(";\r\n\t{}\r\n", base::format_mail_date(t.at));
}

}  // namespace pinnace::mime
