// What the queue knows of a message: its envelope and how each recipient fares.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "names/dsn_wish.hpp"

namespace pinnace::queue {

// Unique in one store for ever, and ordered by arrival. As text: 13 letters and digits.
struct MessageId {
  std::uint64_t value = 0;

  std::string str() const;
  static std::optional<MessageId> parse(std::string_view text);
  std::string key() const;  // 8 octets, big endian: the store's order is the ids'
  auto operator<=>(const MessageId&) const = default;
};

enum class RecipientState : std::uint8_t { waiting, delivered, failed, removed };
std::string_view to_string(RecipientState state);

// What the originator asks of TLS on the message's whole way (RFC 8689): `require` came as REQUIRETLS of
// MAIL, `waive` as the header field "TLS-Required: No".
enum class TlsWish : std::uint8_t { none, require, waive };
std::string_view to_string(TlsWish wish);

// Who comes first where much waits for one destination.
enum class Priority : std::uint8_t { low, normal, high };
std::string_view to_string(Priority priority);

struct Recipient {
  std::string address;
  RecipientState state = RecipientState::waiting;
  std::uint32_t attempts = 0;
  base::Time next_attempt{};
  base::Time last_attempt{};
  std::string host;         // the MX host of the last attempt
  std::string status;       // enhanced code of the last attempt (RFC 3463): "4.7.5"
  std::string reason;       // for people; at most kMaxText octets, as are `reply` and `policy`
  std::string reply;        // the peer's own words, if any
  std::string policy;       // what was demanded of the connection of the last attempt, and why, for people
  names::Notify notify;     // RFC 3461 4.1
  std::string orcpt;        // ORCPT as it came, "rfc822;xtext" (RFC 3461 4.2); empty: none
  bool delay_told = false;  // a notice of delay was sent

  static constexpr std::size_t kMaxText = 1024;
};

struct Message {
  MessageId id;
  std::string reverse_path;  // empty: the null reverse-path
  std::vector<Recipient> recipients;
  bool smtputf8 = false;
  bool body_8bit = false;
  bool body_binary =
      false;  // it came as BINARYMIME: its lines may be of any length, NUL and bare CR or LF in them
  TlsWish tls_wish = TlsWish::none;
  base::Time arrived{};
  std::uint64_t size = 0;    // octets of header and body
  std::uint32_t chunks = 0;  // rows of the body
  std::string client;        // who handed it in
  std::string envid;         // ENVID as it came, xtext (RFC 3461 4.4); empty: none
  names::Return ret = names::Return::unset;
  Priority priority = Priority::normal;
  bool held = false;  // by an operator: nothing of it is tried, and its lifetime goes on
  std::string route;  // the name of the listener it came by, for what that sets of delivery; empty: none

  std::string encode() const;
  // Reads records of every version so far.
  static base::Result<Message> decode(MessageId id, std::string_view record);
};

// The next-hop domain of an address: what stands behind the last '@', in lower case.
std::string next_hop(std::string_view address);

}  // namespace pinnace::queue
