#include "mime/dsn_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mime/fold.hpp"

namespace pinnace::mime {
namespace {

// "5 days", "1 hour 30 minutes": the two largest units.
std::string in_words(base::Seconds d) {
  std::string out;
  long long left = d.count();
  int units = 0;
  for (const auto& [seconds, name] :
       {std::pair{86400LL, "day"}, {3600LL, "hour"}, {60LL, "minute"}, {1LL, "second"}}) {
    const long long n = left / seconds;
    left %= seconds;
    if (n == 0 || ++units > 2) continue;
    out += fmt::format("{}{} {}{}", out.empty() ? "" : " ", n, name, n == 1 ? "" : "s");
  }
  return out.empty() ? "no time" : out;
}

std::string retried_until(const Dsn& d) {
  return fmt::format("It is tried again until {}.", base::format_mail_date(d.arrived + d.lifetime));
}

std::string fate(const Dsn& d, const DsnRecipient& r) {
  switch (r.action) {
    case Action::delivered:
      return "The message was put into the mailbox.";
    case Action::relayed:
      return "The message was handed to " + one_line(r.remote_mta, 255) +
             ", which sends no such notices: whether it reaches the mailbox will not be told.";
    case Action::delayed:
      if (r.in_turn) return "The message waits for its turn. " + retried_until(d);
      if (!r.protected_by_policy) return "The message could not be delivered so far. " + retried_until(d);
      return "The message is held back to protect it. No server that answered for this recipient meets what "
             "the right one had promised, which is an encrypted connection with a key known to be its own. " +
             retried_until(d);
    case Action::failed:
      break;
  }
  if (r.in_turn && given_up(d, r)) {
    return fmt::format("The message waited for its turn for {} and is given up now.", in_words(d.lifetime));
  }
  const std::string tried =
      given_up(d, r) ? fmt::format("It was tried again for {} and is given up now.", in_words(d.lifetime))
                     : "This is final: it will not be tried again.";
  if (r.protected_by_policy) {
    return "The message was held back to protect it. No server that answered for this recipient met what the "
           "right one had promised, which is an encrypted connection with a key known to be its own. So the "
           "message was handed to none of them. " +
           tried;
  }
  if (given_up(d, r)) return "The message could not be delivered. " + tried;
  return "The message was refused. " + tried;
}

// By the class of RFC 3463 3 and the detail behind it, the more specific first.
std::string_view advice(const Dsn& d, const DsnRecipient& r) {
  if (r.action == Action::delayed) return "Nothing need be done yet.";
  if (r.protected_by_policy) {
    return "Either the recipient's mail server changed its key without announcing it, or somebody stood in "
           "between and tried to receive its mail. Tell the recipient by another way than mail, so that the "
           "administrators of that server can look into it, and send the message again when they have.";
  }
  if (given_up(d, r)) return "Send the message again later, or reach the recipient by another way.";
  static constexpr std::pair<std::string_view, std::string_view> kAdvice[] = {
      {"5.1.", "Check the address for typing errors, or ask the recipient for the one in use."},
      {"5.2.2", "The mailbox is full. Ask the recipient by another way to make room, then send it again."},
      {"5.2.3", "The message is too large. Send a smaller one, or share what is large by another way."},
      {"5.3.4", "The message is too large. Send a smaller one, or share what is large by another way."},
      {"5.7.", "The receiving server refuses it by its own rules. Its administrators can say which."},
  };
  for (const auto& [status, text] : kAdvice) {
    if (r.status.starts_with(status)) return text;
  }
  return "The administrators of the receiving server can say more: give them its words.";
}

// The first sentence: what they all have in common.
std::string_view news(const Dsn& d) {
  const auto all = [&](Action action) {
    return std::all_of(d.recipients.begin(), d.recipients.end(),
                       [&](const DsnRecipient& r) { return r.action == action; });
  };
  if (all(Action::failed)) return "was not delivered to";
  if (all(Action::delayed)) return "is delayed, and not given up, for";
  if (all(Action::delivered)) return "was delivered to";
  if (all(Action::relayed)) return "went on towards";
  return "is or was on its way to";
}

std::string paragraph(std::string_view text) { return wrapped(text, "    "); }

}  // namespace

bool given_up(const Dsn& d, const DsnRecipient& r) {
  return d.expired && r.action == Action::failed && r.status.starts_with('4');
}

std::string words(const Dsn& d) {
  std::string out = wrapped("This is the mail system at " + d.reporting_mta + ".", "") + "\r\n";
  out += wrapped(fmt::format("Your message of {} {} the recipient{} below.",
                             base::format_mail_date(d.arrived), news(d), d.recipients.size() == 1 ? "" : "s"),
                 "");
  for (const DsnRecipient& r : d.recipients) {
    out += "\r\n<" + r.address + ">\r\n" + paragraph(fate(d, r));
    const bool wrong = r.action == Action::failed || r.action == Action::delayed;
    if (wrong && !r.reason.empty())
      out += paragraph((r.in_turn ? "Why: " : "What went wrong: ") + one_line(r.reason));
    if (!r.reply.empty()) out += paragraph("The receiving server's words: " + one_line(r.reply));
    if (wrong) out += paragraph(fmt::format("What you can do: {}", advice(d, r)));
  }
  out += "\r\n" + wrapped(fmt::format("{} If you need help, write to postmaster@{} and name {}.",
                                      d.returned_whole ? "Your message is returned."
                                                       : "Only the headers of your message are returned.",
                                      d.reporting_mta, d.queue_id),
                          "");
  return out;
}

}  // namespace pinnace::mime
