#include "queue/message.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/record.hpp"

namespace pinnace::queue {
namespace {

constexpr std::uint8_t kRecordVersion = 3;  // docs/store-format.md says what older ones lack
constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";

std::int64_t to_ms(base::Time t) { return t.time_since_epoch().count(); }
base::Time from_ms(std::int64_t ms) { return base::Time(base::Milliseconds(ms)); }

std::string_view bounded(std::string_view text) { return text.substr(0, Recipient::kMaxText); }

// False: a state or a wish that is not known.
bool read_recipient(base::RecordReader& in, std::uint8_t version, Recipient& r) {
  r.address = in.text();
  const std::uint8_t state = in.u8();
  r.state = static_cast<RecipientState>(state);
  r.attempts = in.u32();
  r.next_attempt = from_ms(in.i64());
  r.last_attempt = from_ms(in.i64());
  r.host = in.text();
  r.status = in.text();
  r.reason = in.text();
  r.reply = in.text();
  if (version >= 2) r.policy = in.text();
  if (version >= 3) {
    r.notify.bits = in.u8();
    r.orcpt = in.text();
    const std::uint8_t flags = in.u8();
    r.delay_told = flags & 1;
    if (flags > 1 || !r.notify.valid()) return false;
  }
  return state <= static_cast<std::uint8_t>(RecipientState::removed);
}

}  // namespace

std::string MessageId::str() const {
  std::string out(13, '0');
  std::uint64_t v = value;
  for (std::size_t i = out.size(); i-- > 0; v >>= 5) out[i] = kDigits[v & 31];
  return out;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  MessageId id;
  if (text.size() != 13 || kDigits.find(text[0]) > 15) return std::nullopt;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    id.value = id.value << 5 | digit;
  }
  return id;
}

std::string MessageId::key() const {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
  return out;
}

std::string_view to_string(RecipientState state) {
  switch (state) {
    case RecipientState::waiting:
      return "waiting";
    case RecipientState::delivered:
      return "delivered";
    case RecipientState::failed:
      return "failed";
    case RecipientState::removed:
      break;
  }
  return "removed";
}

std::string_view to_string(TlsWish wish) {
  switch (wish) {
    case TlsWish::require:
      return "require";
    case TlsWish::waive:
      return "waive";
    case TlsWish::none:
      break;
  }
  return "none";
}

std::string_view to_string(Priority priority) {
  switch (priority) {
    case Priority::low:
      return "low";
    case Priority::high:
      return "high";
    case Priority::normal:
      break;
  }
  return "normal";
}

std::string Message::encode() const {
  base::RecordWriter out;
  out.u8(kRecordVersion);
  out.text(reverse_path);
  out.u8(static_cast<std::uint8_t>((smtputf8 ? 1 : 0) | (body_8bit ? 2 : 0) | (body_binary ? 4 : 0) |
                                   (held ? 8 : 0)));
  out.u8(static_cast<std::uint8_t>(tls_wish));
  out.i64(to_ms(arrived));
  out.i64(static_cast<std::int64_t>(size));
  out.u32(chunks);
  out.text(client);
  out.text(envid);
  out.u8(static_cast<std::uint8_t>(ret));
  out.u8(static_cast<std::uint8_t>(priority));
  out.text(route);
  out.u32(static_cast<std::uint32_t>(recipients.size()));
  for (const Recipient& r : recipients) {
    out.text(r.address);
    out.u8(static_cast<std::uint8_t>(r.state));
    out.u32(r.attempts);
    out.i64(to_ms(r.next_attempt));
    out.i64(to_ms(r.last_attempt));
    out.text(r.host);
    out.text(r.status);
    out.text(bounded(r.reason));
    out.text(bounded(r.reply));
    out.text(bounded(r.policy));
    out.u8(r.notify.bits);
    out.text(r.orcpt);
    out.u8(r.delay_told ? 1 : 0);
  }
  return out.take();
}

base::Result<Message> Message::decode(MessageId id, std::string_view record) {
  constexpr std::size_t kLeastRecipient = 4 * 5 + 1 + 4 + 8 + 8;  // of version 1
  const auto bad = [&](std::string_view what) {
    return base::fail("queue.record", fmt::format("queue record {} {}", id.str(), what));
  };
  base::RecordReader in(record);
  const std::uint8_t version = in.u8();
  if (version == 0 || version > kRecordVersion) return bad("is of an unknown version");
  Message m;
  m.id = id;
  m.reverse_path = in.text();
  const std::uint8_t flags = in.u8();
  m.smtputf8 = flags & 1;
  m.body_8bit = flags & 2;
  m.body_binary = flags & 4;
  m.held = flags & 8;
  const std::uint8_t wish = version >= 2 ? in.u8() : 0;
  if (wish > static_cast<std::uint8_t>(TlsWish::waive)) return bad("has an unknown wish about TLS");
  m.tls_wish = static_cast<TlsWish>(wish);
  m.arrived = from_ms(in.i64());
  m.size = static_cast<std::uint64_t>(in.i64());
  m.chunks = in.u32();
  m.client = in.text();
  if (version >= 3) {
    m.envid = in.text();
    const std::uint8_t ret = in.u8();
    const std::uint8_t priority = in.u8();
    m.route = in.text();
    if (ret > static_cast<std::uint8_t>(names::Return::headers)) return bad("has an unknown RET");
    if (priority > static_cast<std::uint8_t>(Priority::high)) return bad("has an unknown priority");
    m.ret = static_cast<names::Return>(ret);
    m.priority = static_cast<Priority>(priority);
  }
  m.recipients.resize(in.count(kLeastRecipient));
  for (Recipient& r : m.recipients) {
    if (!read_recipient(in, version, r)) return bad("has a recipient in an unknown state");
  }
  if (!in.at_end() || flags > (version >= 3 ? 15 : 3)) return bad("is damaged");
  return m;
}

std::string next_hop(std::string_view address) {
  const std::size_t at = address.rfind('@');
  std::string domain(at == std::string_view::npos ? address : address.substr(at + 1));
  std::transform(domain.begin(), domain.end(), domain.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return domain;
}

}  // namespace pinnace::queue
