// TLS sessions with peers, kept to be resumed (RFC 5077; RFC 8446 2.2). A resumed one shows no certificate:
// its ticket is kept together with the chain of the full handshake, which is judged anew each time
// (docs/decisions/0006-which-tls-sessions-are-resumed.md).
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "tls/chain.hpp"

namespace pinnace::tls {

// What a peer gave to resume a session with. Secret.
class Ticket {
 public:
  struct Impl;
  explicit Ticket(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  const PeerChain& chain() const;  // of the full handshake, whichever session brought the ticket
  base::Seconds lifetime() const;  // as the peer has it; seven days at most
  bool for_one_use() const;        // a ticket of TLS 1.3
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// Those that came in one connection: in the handshake or, under TLS 1.3, any time behind it.
struct Tickets {
  std::vector<Ticket> arrived;
};

struct KeptTicket {
  Ticket ticket;
  base::Time proven;  // when the peer last proved that it holds the leaf's key
};

// Tickets by key. The key says all that two sessions must have in common for one to be resumed as the other.
class SessionCache {
 public:
  // No session is resumed `lifetime` after the handshake in which its peer proved its key, however often it
  // was resumed meanwhile. 0: none ever is. Of more than `most` tickets the oldest go.
  explicit SessionCache(base::Seconds lifetime, std::size_t most = 2000) : lifetime_(lifetime), most_(most) {}

  // The newest that is still good. It is no longer kept.
  std::optional<KeptTicket> take(const std::string& key, base::Time now);
  void keep(const std::string& key, KeptTicket ticket, base::Time now);
  void forget(const std::string& key);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    KeptTicket kept;
    base::Time until;
  };
  using Entries = std::list<Entry>;
  void drop_oldest(const std::string& key);

  base::Seconds lifetime_;
  std::size_t most_;
  Entries entries_;                                                       // oldest first
  std::unordered_map<std::string, std::list<Entries::iterator>> by_key_;  // as well
};

}  // namespace pinnace::tls
