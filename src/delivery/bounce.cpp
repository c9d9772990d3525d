#include "delivery/bounce.hpp"

#include <algorithm>

#include "mime/header.hpp"
#include "mime/transfer_encoding.hpp"
#include "smtp/dsn_parameters.hpp"

namespace pinnace::delivery {
namespace {

using mime::Action;
using queue::Outcome;

// More is not given back, whatever was asked (RFC 3461 6.2).
constexpr std::uint64_t kMaxReturned = 50'000;

// RFC 3461 6.2: the whole message where that was asked and delivery failed.
// RFC 8689 5: never more than the header of one of REQUIRETLS; nor of what was held back to protect it.
bool gives_back_all(const queue::Message& m, const std::vector<mime::DsnRecipient>& told) {
  const bool failed =
      std::any_of(told.begin(), told.end(), [](auto& r) { return r.action == Action::failed; });
  const bool held = std::any_of(told.begin(), told.end(), [](auto& r) { return r.protected_by_policy; });
  return m.ret == names::Return::full && failed && !held && m.tls_wish != queue::TlsWish::require &&
         !m.body_binary && m.size <= kMaxReturned;
}

// Empty: it cannot be read, or is nothing that may stand in another message.
std::string whole_text(const queue::Queue& queue, const queue::Message& m) {
  std::string out;
  for (std::uint32_t n = 0; n < m.chunks; ++n) {
    const auto row = queue.body_chunk(m, n);
    if (!row) return {};
    out += *row;
  }
  mime::OctetCheck check;
  const auto seen = check.take(out);
  if (seen.bare || seen.long_line || check.ends_in_cr()) return {};
  if (!out.ends_with("\r\n")) out += "\r\n";
  return out;
}

void give_back(mime::Dsn& dsn, const queue::Queue& queue, const queue::Message& m) {
  if (gives_back_all(m, dsn.recipients)) dsn.returned = whole_text(queue, m);
  dsn.returned_whole = !dsn.returned.empty();
  if (dsn.returned_whole || m.chunks == 0) return;
  // Never more than the header: it begins the first row; one longer than a row is returned as far as it goes.
  if (const auto first = queue.body_chunk(m, 0)) dsn.returned = mime::header_of(*first);
}

mime::DsnRecipient told_of(const queue::Recipient& to, const Outcome& o, Action action, base::Time now) {
  mime::DsnRecipient r;
  r.address = to.address;
  r.action = action;
  if (!to.orcpt.empty()) r.original = smtp::original_recipient(to.orcpt);
  r.status = o.status;
  r.reason = o.reason;
  r.reply = o.reply;
  r.remote_mta = o.host;
  r.in_turn = o.in_turn;
  r.protected_by_policy = o.status == "4.7.5";
  r.last_attempt = o.kind == Outcome::Kind::waiting ? to.last_attempt : now;
  return r;
}

}  // namespace

std::optional<Action> to_tell(const Settings& settings, const queue::Message& message, const Outcome& o,
                              base::Time now) {
  const queue::Recipient& to = message.recipients.at(o.recipient);
  if (message.reverse_path.empty()) return std::nullopt;
  switch (o.kind) {
    case Outcome::Kind::failed:  // RFC 3461 5.2.6
      return to.notify.failure() ? std::optional(Action::failed) : std::nullopt;
    case Outcome::Kind::waiting:
    case Outcome::Kind::deferred: {  // RFC 3461 5.2.5
      const bool late =
          settings.delay_notice > base::Seconds(0) && now - message.arrived >= settings.delay_notice;
      return late && !to.delay_told && to.notify.delay() ? std::optional(Action::delayed) : std::nullopt;
    }
    case Outcome::Kind::delivered:
      break;
  }
  // RFC 3461 5.2.1: a server that offers DSN takes the wish over. 5.2.2, 5.2.3: else it is for us to tell.
  if (!to.notify.success() || o.onward == Outcome::Onward::told) return std::nullopt;
  return o.onward == Outcome::Onward::mailbox ? Action::delivered : Action::relayed;
}

std::optional<queue::OwnMessage> make_notice(const Settings& settings, const queue::Queue& queue,
                                             const queue::Message& message, std::vector<Outcome>& outcomes,
                                             bool expired, base::Time now) {
  mime::Dsn dsn;
  // RFC 3461 5.2.8: nothing of those for whom none is due.
  for (Outcome& o : outcomes) {
    const auto action = to_tell(settings, message, o, now);
    if (!action) continue;
    o.delay_told = action == Action::delayed;
    dsn.recipients.push_back(told_of(message.recipients[o.recipient], o, *action, now));
  }
  if (dsn.recipients.empty()) return std::nullopt;
  dsn.reporting_mta = settings.hostname;
  dsn.to = message.reverse_path;
  dsn.envelope_id = smtp::decode_xtext(message.envid).value_or("");
  dsn.queue_id = message.id.str();
  dsn.arrived = message.arrived;
  dsn.now = now;
  dsn.expired = expired;
  dsn.lifetime = queue.schedule().lifetime;
  dsn.token = message.id.str() + "-" + std::to_string(now.time_since_epoch().count());
  dsn.smtputf8 = message.smtputf8;
  give_back(dsn, queue, message);
  const mime::DsnText text = mime::make_dsn(dsn);
  queue::OwnMessage out;
  out.envelope.recipients.emplace_back(message.reverse_path);
  out.envelope.smtputf8 = text.smtputf8;
  // RFC 8689 5: it has the message's header in it, and is protected as the message was.
  if (message.tls_wish == queue::TlsWish::require) out.envelope.tls_wish = queue::TlsWish::require;
  out.envelope.client = "this relay";
  out.text = text.text;
  out.body_8bit = text.eight_bit;
  return out;
}

}  // namespace pinnace::delivery
