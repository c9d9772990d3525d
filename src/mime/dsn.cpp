#include "mime/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mime/dsn_words.hpp"
#include "mime/fold.hpp"

namespace pinnace::mime {
namespace {

bool eight_bit(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

// RFC 3464 2.3.2; RFC 6533 3: in this 7-bit part an address with other characters than ASCII is of the
// type "utf-8", those characters by their code points.
std::string typed(std::string_view address) {
  if (!eight_bit(address)) return "rfc822; " + one_line(address);
  std::string out = "utf-8; ";
  for (std::size_t i = 0; i < address.size(); ++i) {
    const auto lead = static_cast<unsigned char>(address[i]);
    if (lead < 0x80) {
      const bool plain =
          lead > ' ' && lead < 0x7f && std::string_view("\\+=").find(address[i]) == std::string::npos;
      out += plain ? std::string(1, address[i]) : fmt::format("\\x{{{:02X}}}", lead);
      continue;
    }
    const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    std::uint32_t point = lead & (0x3fU >> more);
    for (std::size_t k = 0; k < more && i + 1 < address.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(address[++i]) & 0x3f);
    }
    out += fmt::format("\\x{{{:X}}}", point);
  }
  return out;
}

std::string recipient_fields(const Dsn& d, const FailedRecipient& r) {
  // RFC 3463 3.5: X.4.7, the delivery time is over. What protection did is said in its own code.
  const bool expired = given_up(d, r) && !r.protected_by_policy;
  std::string out = fmt::format("\r\nFinal-Recipient: {}\r\nAction: failed\r\nStatus: {}\r\n",
                                typed(r.address), expired ? "4.4.7" : one_line(r.status, 11));
  if (!r.remote_mta.empty()) out += fmt::format("Remote-MTA: dns; {}\r\n", one_line(r.remote_mta, 255));
  const std::string diagnostic =
      r.reply.empty() ? "X-Pinnace; " + one_line(r.reason) : "smtp; " + one_line(r.reply);
  out += "Diagnostic-Code:" + wrapped(diagnostic, " ");
  if (r.last_attempt != base::Time{}) {
    out += fmt::format("Last-Attempt-Date: {}\r\n", base::format_mail_date(r.last_attempt));
  }
  return out;
}

// RFC 3464 2.2 and 2.3
std::string machine_part(const Dsn& d) {
  std::string out = fmt::format("Reporting-MTA: dns; {}\r\nX-Pinnace-Queue-ID: {}\r\nArrival-Date: {}\r\n",
                                d.reporting_mta, d.queue_id, base::format_mail_date(d.arrived));
  for (const FailedRecipient& r : d.recipients) out += recipient_fields(d, r);
  return out;
}

// The headers as they came, except what no mail may hold: longer lines than RFC 5322 2.1.1 allows,
// and control characters.
std::string returned(std::string_view header) {
  std::string out;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find("\r\n"), header.size());
    for (const char c : header.substr(0, std::min<std::size_t>(end, 998))) {
      out += (c >= 0 && c < ' ' && c != '\t') || c == 0x7f ? '?' : c;
    }
    out += "\r\n";
    header.remove_prefix(std::min(end + 2, header.size()));
  }
  return out;
}

}  // namespace

DsnText make_dsn(const Dsn& d) {
  const std::string plain = words(d);
  const std::string headers = returned(d.header);
  std::string boundary = "=_pinnace_" + d.token;
  // Nothing else of the message begins a line with "--"; the headers may, if their author guessed it.
  while (headers.find("--" + boundary) != std::string::npos) boundary += '_';
  const auto encoding = [](bool eight) { return eight ? "8bit" : "7bit"; };
  DsnText out;
  out.eight_bit = eight_bit(d.to) || eight_bit(plain) || eight_bit(headers);
  out.text = fmt::format(
      "Date: {}\r\nFrom: Mail Delivery System <MAILER-DAEMON@{}>\r\nTo: <{}>\r\n"
      "Subject: Undelivered mail returned to sender\r\nMessage-ID: <{}@{}>\r\n",
      base::format_mail_date(d.now), d.reporting_mta, d.to, d.token, d.reporting_mta);
  // RFC 3834 5: so that no automaton answers it.
  out.text += "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
  out.text += fmt::format(
      "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{}\"\r\n"
      "Content-Transfer-Encoding: {}\r\n\r\n",
      boundary, encoding(out.eight_bit));
  out.text += fmt::format(
      "--{}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n",
      boundary, encoding(eight_bit(plain)), plain);
  out.text +=
      fmt::format("--{}\r\nContent-Type: message/delivery-status\r\n\r\n{}\r\n", boundary, machine_part(d));
  out.text += fmt::format(
      "--{}\r\nContent-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: "
      "{}\r\n\r\n{}\r\n"
      "--{}--\r\n",
      boundary, encoding(eight_bit(headers)), headers, boundary);
  return out;
}

}  // namespace pinnace::mime
