#include "mime/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::mime {
namespace {

// One line of text from anywhere: no control characters, so that it cannot begin another line.
std::string one_line(std::string_view s) {
  std::string out(s.substr(0, 2000));
  std::replace_if(out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  return out;
}

// Words on lines of at most 76 octets, each behind `indent`. A longer word is cut.
std::string wrapped(std::string_view text, std::string_view indent) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(indent) + line + "\r\n";
    line.clear();
  };
  const std::string clean = one_line(text);
  std::string_view left = clean;
  while (!left.empty()) {
    std::size_t n = std::min(left.find(' '), left.size());
    std::string_view word = left.substr(0, n);
    left.remove_prefix(std::min(n + 1, left.size()));
    if (word.empty()) continue;
    if (!line.empty() && line.size() + 1 + word.size() > 76 - indent.size()) flush();
    while (word.size() > 500) {
      line = word.substr(0, 500);
      flush();
      word.remove_prefix(500);
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  flush();
  return out;
}

std::string words(const Dsn& d) {
  std::string out = "This is the mail system at " + d.reporting_mta + ".\r\n\r\n";
  out += wrapped(
      d.expired
          ? fmt::format("Your message of {} could not be delivered to the recipients below within {}, and "
                        "is given up now. It was held here and tried again all that time.",
                        base::format_mail_date(d.arrived), base::format_duration(d.lifetime))
          : fmt::format("Your message of {} could not be delivered to the recipients below. This is final; "
                        "it will not be tried again.",
                        base::format_mail_date(d.arrived)),
      "");
  for (const FailedRecipient& r : d.recipients) {
    out += "\r\n" + wrapped("<" + r.address + ">", "") + wrapped(r.reason, "    ");
    if (!r.reply.empty()) out += wrapped("The receiving server said: " + r.reply, "    ");
    if (r.protected_by_policy) {
      out += wrapped(
          "The message was kept back to protect it: it was never handed to a server that could not prove "
          "to be the right one. Please tell the recipient by another way.",
          "    ");
    }
  }
  out += "\r\n" + wrapped(
                      "Only the headers of your message are returned below. If you need help, write to "
                      "postmaster@" +
                          d.reporting_mta + " and name " + d.queue_id + ".",
                      "");
  return out;
}

std::string machine_part(const Dsn& d) {
  // RFC 3464 2.2
  std::string out = fmt::format("Reporting-MTA: dns; {}\r\nX-Pinnace-Queue-ID: {}\r\nArrival-Date: {}\r\n",
                                d.reporting_mta, d.queue_id, base::format_mail_date(d.arrived));
  for (const FailedRecipient& r : d.recipients) {
    // RFC 3464 2.3. An expired message's status says so; what went wrong last is the diagnostic.
    out += fmt::format("\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: {}\r\n",
                       one_line(r.address), one_line(r.status));
    if (!r.remote_mta.empty()) out += fmt::format("Remote-MTA: dns; {}\r\n", one_line(r.remote_mta));
    const std::string diagnostic = r.reply.empty() ? "X-Pinnace; " + r.reason : "smtp; " + r.reply;
    std::string folded = wrapped(diagnostic, " ");
    out += "Diagnostic-Code:" + folded;
    if (r.last_attempt != base::Time{}) {
      out += fmt::format("Last-Attempt-Date: {}\r\n", base::format_mail_date(r.last_attempt));
    }
  }
  return out;
}

}  // namespace

DsnText make_dsn(const Dsn& d) {
  const std::string boundary = "=_pinnace_" + d.token;
  const std::string plain = words(d);
  const std::string machine = machine_part(d);
  const auto eight_bit = [](std::string_view s) {
    return std::any_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
  };
  DsnText out;
  out.eight_bit = eight_bit(plain) || eight_bit(machine) || eight_bit(d.header);
  const std::string_view encoding = out.eight_bit ? "8bit" : "7bit";
  out.text = fmt::format(
      "Date: {}\r\nFrom: Mail Delivery System <MAILER-DAEMON@{}>\r\nTo: <{}>\r\n"
      "Subject: Undelivered mail returned to sender\r\nMessage-ID: <{}@{}>\r\n"
      // RFC 3834 5: so that nobody answers it.
      "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
      "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{}\"\r\n"
      "Content-Transfer-Encoding: {}\r\n\r\n"
      "--{}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n"
      "--{}\r\nContent-Type: message/delivery-status\r\n\r\n{}\r\n"
      "--{}\r\nContent-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: "
      "{}\r\n\r\n{}\r\n"
      "--{}--\r\n",
      base::format_mail_date(d.now), d.reporting_mta, d.to, d.token, d.reporting_mta, boundary, encoding,
      boundary, encoding, plain, boundary, machine, boundary, encoding, d.header, boundary);
  return out;
}

}  // namespace pinnace::mime
