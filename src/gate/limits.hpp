// How many sessions there may be at once, and begin in a minute: of all clients, of one, and of a network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "io/address.hpp"

namespace pinnace::gate {

// Of each client: an address, or the /64 of an IPv6 one (io::IpAddress::party).
struct ClientLimits {
  std::size_t max_sessions = 50;
  std::size_t per_minute = 0;  // connections; 0: any number
};

struct NetworkLimits {
  std::vector<io::Network> networks;
  ClientLimits of_client;        // instead of what holds for others
  std::size_t max_sessions = 0;  // of all of these networks together; 0: any number
  std::size_t per_minute = 0;    // likewise
};

struct LimitSettings {
  std::size_t max_sessions = 1000;
  ClientLimits of_client;
  std::vector<NetworkLimits> networks;  // the first that holds a client is his
};

// Pure: the time comes in. Memory: an entry for each client that has a session or came in this minute, and of
// the latter kMostCounted at most; whoever comes beyond them is let in uncounted.
class Limits {
 public:
  static constexpr std::size_t kMostCounted = 100'000;

  explicit Limits(LimitSettings settings);

  // Empty: he may come in, and is counted until leave(). Else why not.
  std::string enter(const io::IpAddress& address, base::Time now);
  void leave(const io::IpAddress& address);
  std::size_t sessions() const { return sessions_; }
  std::size_t counted() const { return clients_.size(); }

 private:
  struct Count {
    std::size_t sessions = 0;
    std::size_t came = 0;  // in this minute
  };
  std::size_t network_of(const io::IpAddress& address) const;  // an index, or as many as there are
  void begin_minute(base::Time now);

  LimitSettings settings_;
  std::size_t sessions_ = 0;
  std::map<io::IpAddress, Count> clients_;  // by their parties
  std::vector<Count> networks_;
  std::chrono::sys_time<std::chrono::minutes> minute_{};
};

}  // namespace pinnace::gate
