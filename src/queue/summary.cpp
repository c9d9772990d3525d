#include "queue/summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/record.hpp"

namespace pinnace::queue {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kHeld = 8;

std::string_view wish_of(const Message& m) {
  switch (m.tls_wish) {
    case TlsWish::require:
      return m.reverse_path.empty() ? " requiretls bounce" : " requiretls";
    case TlsWish::waive:
      return " tls-required-no";
    case TlsWish::none:
      break;
  }
  return "";
}

std::uint32_t sender_of(std::string_view reverse_path, const base::SipKey& key) {
  const std::size_t at = std::min(reverse_path.rfind('@'), reverse_path.size());
  const std::string_view local = reverse_path.substr(0, at);
  std::string sender(local.substr(0, local.find_first_of("+=")));
  sender += reverse_path.substr(at);
  return static_cast<std::uint32_t>(base::sip_hash(key, sender));
}

}  // namespace

std::string destination_of(std::string_view domain, const Message& message) {
  std::string out(domain);
  out += wish_of(message);
  return out;
}

std::string domain_of(std::string_view destination) {
  return std::string(destination.substr(0, destination.find(' ')));
}

Summary Summary::of(const Message& message, const base::SipKey& key) {
  Summary s;
  s.held = message.held;
  s.priority = message.priority;
  s.sender = sender_of(message.reverse_path, key);
  for (const Recipient& r : message.recipients) {
    if (r.state != RecipientState::waiting) continue;
    s.waiting.push_back({destination_of(next_hop(r.address), message), r.next_attempt});
  }
  std::sort(s.waiting.begin(), s.waiting.end());
  const auto same = [](const Waiting& a, const Waiting& b) { return a.destination == b.destination; };
  s.waiting.erase(std::unique(s.waiting.begin(), s.waiting.end(), same), s.waiting.end());
  return s;
}

std::string Summary::encode() const {
  base::RecordWriter out;
  out.u8(kVersion);
  out.u8(static_cast<std::uint8_t>(static_cast<int>(priority) | (held ? kHeld : 0)));
  out.u32(sender);
  out.u32(static_cast<std::uint32_t>(waiting.size()));
  for (const Waiting& w : waiting) {
    out.text(w.destination);
    out.i64(w.due.time_since_epoch().count());
  }
  return out.take();
}

base::Result<Summary> Summary::decode(MessageId id, std::string_view record) {
  base::RecordReader in(record);
  Summary s;
  const std::uint8_t version = in.u8();
  const std::uint8_t flags = in.u8();
  const std::uint8_t priority = flags & 3;
  s.held = flags & kHeld;
  s.priority = static_cast<Priority>(priority);
  s.sender = in.u32();
  s.waiting.resize(in.count(4 + 8));
  for (Waiting& w : s.waiting) {
    w.destination = in.text();
    w.due = base::Time(base::Milliseconds(in.i64()));
  }
  if (version != kVersion || !in.at_end() || (flags & ~(kHeld | 3)) != 0 ||
      priority > static_cast<std::uint8_t>(Priority::high)) {
    return base::fail("queue.record", fmt::format("the schedule's record of message {} is damaged or of an "
                                                  "unknown version",
                                                  id.str()));
  }
  return s;
}

}  // namespace pinnace::queue
