#include "delivery/bounce.hpp"

#include "mime/dsn.hpp"
#include "mime/header.hpp"

namespace pinnace::delivery {

std::optional<queue::OwnMessage> make_bounce(const Settings& settings, const queue::Queue& queue,
                                             const queue::Message& message,
                                             const std::vector<queue::Outcome>& failed, bool expired,
                                             base::Time now) {
  if (message.reverse_path.empty() || failed.empty()) return std::nullopt;
  mime::Dsn dsn;
  dsn.reporting_mta = settings.hostname;
  dsn.to = message.reverse_path;
  dsn.queue_id = message.id.str();
  dsn.arrived = message.arrived;
  dsn.now = now;
  dsn.expired = expired;
  dsn.lifetime = queue.schedule().lifetime;
  dsn.token = message.id.str() + "-" + std::to_string(now.time_since_epoch().count());
  for (const queue::Outcome& o : failed) {
    mime::FailedRecipient r;
    r.address = message.recipients.at(o.recipient).address;
    r.status = o.status;
    r.reason = o.reason;
    r.reply = o.reply;
    r.remote_mta = o.host;
    r.protected_by_policy = o.status == "4.7.5";
    r.last_attempt = now;
    dsn.recipients.push_back(std::move(r));
  }
  if (message.chunks > 0) {
    // RFC 8689 5: never more than the header. It begins the first row; one longer than a row is returned as
    // far as it goes.
    if (const auto first = queue.body_chunk(message, 0)) dsn.header = mime::header_of(*first);
  }
  const mime::DsnText text = mime::make_dsn(dsn);
  queue::OwnMessage out;
  out.envelope.recipients.emplace_back(message.reverse_path);
  out.envelope.smtputf8 = message.smtputf8;
  // RFC 8689 5: it has the message's header in it, and is protected as the message was.
  if (message.tls_wish == queue::TlsWish::require) out.envelope.tls_wish = queue::TlsWish::require;
  out.envelope.client = "this relay";
  out.text = text.text;
  out.body_8bit = text.eight_bit;
  return out;
}

}  // namespace pinnace::delivery
