// What the agenda must know of a message, in some forty octets: the queue is read back at a start from
// these alone, however large its records and bodies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/sip_hash.hpp"
#include "queue/line.hpp"

namespace pinnace::queue {

// Mail that shares its fate: one next-hop domain, and one wish about TLS, since a host that will not do for
// the one may do for the other. The domain alone, or "DOMAIN requiretls", "DOMAIN requiretls bounce" (RFC
// 8689 5: a bounce is not held up), "DOMAIN tls-required-no".
std::string destination_of(std::string_view domain, const Message& message);
std::string domain_of(std::string_view destination);

struct Summary {
  struct Waiting {
    std::string destination;
    base::Time due{};
    auto operator<=>(const Waiting&) const = default;
  };
  bool held = false;
  Priority priority = Priority::normal;
  // Who shares one turn in a line: a reverse-path, up to a '+' or '=' in its local part, behind which it
  // differs for each recipient of a list (VERP). A hash under the store's key, so that nobody can choose an
  // address that shares another's turn.
  std::uint32_t sender = 0;
  std::vector<Waiting> waiting;  // one for each destination with a waiting recipient

  // The key is for `sender` alone: who has none asks for the rest.
  static Summary of(const Message& message, const base::SipKey& key = {});
  std::string encode() const;
  static base::Result<Summary> decode(MessageId id, std::string_view record);
};

}  // namespace pinnace::queue
