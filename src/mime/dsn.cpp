#include "mime/dsn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "mime/body_encoder.hpp"
#include "mime/dsn_address.hpp"
#include "mime/dsn_words.hpp"
#include "mime/fold.hpp"

namespace pinnace::mime {
namespace {

bool eight_bit(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

std::string recipient_fields(const Dsn& d, const DsnRecipient& r, FieldText text) {
  // RFC 3463 3.5: X.4.7, the delivery time is over. What protection did is said in its own code.
  const bool expired = given_up(d, r) && !r.protected_by_policy;
  std::string out = "\r\n";
  if (!r.original.empty())
    out += fmt::format("Original-Recipient: {}\r\n", original_address(r.original, text));
  out += fmt::format("Final-Recipient: {}\r\nAction: {}\r\nStatus: {}\r\n", typed_address(r.address, text),
                     to_string(r.action), expired ? "4.4.7" : one_line(r.status, 11));
  // RFC 3464 2.3.5: a socket of this machine has no name elsewhere.
  const bool named = !r.remote_mta.empty() && !r.remote_mta.starts_with("unix:");
  if (named) out += fmt::format("Remote-MTA: dns; {}\r\n", one_line(r.remote_mta, 255));
  const std::string diagnostic =
      r.reply.empty() ? "X-Pinnace; " + one_line(r.reason) : "smtp; " + one_line(r.reply);
  out += "Diagnostic-Code:" + wrapped(diagnostic, " ");
  if (r.last_attempt != base::Time{}) {
    out += fmt::format("Last-Attempt-Date: {}\r\n", base::format_mail_date(r.last_attempt));
  }
  // RFC 3464 2.3.9: of what is delayed only
  if (r.action == Action::delayed) {
    out += fmt::format("Will-Retry-Until: {}\r\n", base::format_mail_date(d.arrived + d.lifetime));
  }
  return out;
}

// RFC 3464 2.2 and 2.3
std::string machine_part(const Dsn& d, FieldText text) {
  std::string out;
  if (!d.envelope_id.empty()) out += fmt::format("Original-Envelope-Id: {}\r\n", one_line(d.envelope_id));
  out += fmt::format("Reporting-MTA: dns; {}\r\nX-Pinnace-Queue-ID: {}\r\nArrival-Date: {}\r\n",
                     d.reporting_mta, d.queue_id, base::format_mail_date(d.arrived));
  for (const DsnRecipient& r : d.recipients) out += recipient_fields(d, r, text);
  return out;
}

// The headers as they came, except what no mail may hold: longer lines than RFC 5322 2.1.1 allows,
// and control characters.
std::string harmless(std::string_view header) {
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

bool any(const Dsn& d, Action action) {
  return std::any_of(d.recipients.begin(), d.recipients.end(),
                     [&](const DsnRecipient& r) { return r.action == action; });
}

std::string_view subject(const Dsn& d) {
  if (any(d, Action::failed)) return "Undelivered mail returned to sender";
  return any(d, Action::delayed) ? "Delayed mail, still to be delivered" : "Mail delivery status";
}

struct Part {
  std::string type;
  std::string text;
  bool base64 = false;
};

std::string written(const Part& part) {
  if (!part.base64) {
    return fmt::format("Content-Type: {}\r\nContent-Transfer-Encoding: {}\r\n\r\n{}\r\n", part.type,
                       eight_bit(part.text) ? "8bit" : "7bit", part.text);
  }
  std::string encoded;
  Base64Encoder encoder;
  encoder.feed(part.text, encoded);
  encoder.finish(true, encoded);
  return fmt::format("Content-Type: {}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n", part.type,
                     encoded);
}

std::vector<Part> parts_of(const Dsn& d) {
  const std::string returned = d.returned_whole ? d.returned : harmless(d.returned);
  bool addresses = eight_bit(d.to);
  for (const DsnRecipient& r : d.recipients) {
    addresses = addresses || eight_bit(r.address) || r.original.find("\\x{") != std::string::npos;
  }
  // RFC 6533 4.4: where all is ASCII the older types do.
  const bool global = d.smtputf8 && (addresses || eight_bit(returned));
  // RFC 6533 4.5: what the way back may not take goes over it in ASCII.
  const bool encode = global && !eight_bit(d.to);
  std::vector<Part> out = {{"text/plain; charset=utf-8", words(d)}};
  if (global) {
    out.push_back({"message/global-delivery-status", machine_part(d, FieldText::utf8), encode});
    out.push_back({d.returned_whole ? "message/global" : "message/global-headers", returned, encode});
  } else {
    out.push_back({"message/delivery-status", machine_part(d, FieldText::ascii)});
    out.push_back({d.returned_whole ? "message/rfc822" : "text/rfc822-headers; charset=utf-8", returned});
  }
  return out;
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::delayed:
      return "delayed";
    case Action::delivered:
      return "delivered";
    case Action::relayed:
      return "relayed";
    case Action::failed:
      break;
  }
  return "failed";
}

DsnText make_dsn(const Dsn& d) {
  const std::vector<Part> parts = parts_of(d);
  std::string body;
  for (const Part& part : parts) body += "\r\n--\r\n" + written(part);
  std::string boundary = "=_pinnace_" + d.token;
  // No part may hold it: what is returned may, if its author guessed it.
  while (body.find("--" + boundary) != std::string::npos) boundary += '_';
  body.clear();
  for (const Part& part : parts) body += fmt::format("--{}\r\n{}", boundary, written(part));
  DsnText out;
  out.smtputf8 = eight_bit(d.to);
  out.eight_bit = eight_bit(d.to) || eight_bit(body);
  out.text = fmt::format(
      "Date: {}\r\nFrom: Mail Delivery System <MAILER-DAEMON@{}>\r\nTo: <{}>\r\n"
      "Subject: {}\r\nMessage-ID: <{}@{}>\r\n",
      base::format_mail_date(d.now), d.reporting_mta, d.to, subject(d), d.token, d.reporting_mta);
  // RFC 3834 5: so that no automaton answers it.
  out.text += "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
  out.text += fmt::format(
      "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{}\"\r\n"
      "Content-Transfer-Encoding: {}\r\n\r\n{}--{}--\r\n",
      boundary, out.eight_bit ? "8bit" : "7bit", body, boundary);
  return out;
}

}  // namespace pinnace::mime
