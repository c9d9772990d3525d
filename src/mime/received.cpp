#include "mime/received.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::mime {
namespace {

// A word that cannot end the line, comment, literal or quoted string it stands in, nor begin one.
std::string harmless(std::string_view s) {
  std::string out(s.substr(0, 255));
  std::replace_if(
      out.begin(), out.end(),
      [](char c) {
        const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return !alnum && std::string_view(".-_:/").find(c) == std::string_view::npos;
      },
      '?');
  return out.empty() ? "unknown" : out;
}

std::string_view protocol(const Trace& t) {
  // RFC 6531 4.3 and RFC 3848: the protocol says what was used.
  const bool a = t.authenticated;
  if (t.smtputf8) return t.tls ? (a ? "UTF8SMTPSA" : "UTF8SMTPS") : (a ? "UTF8SMTPA" : "UTF8SMTP");
  if (t.extended) return t.tls ? (a ? "ESMTPSA" : "ESMTPS") : (a ? "ESMTPA" : "ESMTP");
  return "SMTP";
}

}  // namespace

std::string received_field(const Trace& t) {
  // RFC 5321 4.1.3: an address literal names its family where it is not IPv4.
  const std::string ip = t.client_ip.find(':') == std::string::npos ? t.client_ip : "IPv6:" + t.client_ip;
  const std::string& name = t.client_name;
  const std::string from = name.size() > 2 && name.starts_with('[') && name.ends_with(']')
                               ? "[" + harmless(std::string_view(name).substr(1, name.size() - 2)) + "]"
                               : harmless(name);
  const std::string host = t.client_host.empty() ? "" : harmless(t.client_host) + " ";
  std::string out = fmt::format("Received: from {} ({}[{}])\r\n", from, host, ip);
  if (t.tls) out += fmt::format("\t(using {})\r\n", harmless(t.tls_text));
  out += fmt::format("\tby {} with {} id {}", t.by, protocol(t), t.id);
  // RFC 5321 7.2: with several recipients none is named.
  if (!t.recipient.empty()) out += fmt::format("\r\n\tfor <{}>", t.recipient);
  return out + fmt::format(";\r\n\t{}\r\n", base::format_mail_date(t.at));
}

}  // namespace pinnace::mime
