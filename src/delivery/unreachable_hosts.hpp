// Addresses that could not be connected to, so that ten thousand domains at one dead MX host cost it one
// connection a pause and not one each. RFC 5321 4.5.4.1: a list of hosts that cannot be reached.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "delivery/settings.hpp"
#include "io/address.hpp"
#include "queue/schedule.hpp"

namespace pinnace::delivery {

class UnreachableHosts {
 public:
  UnreachableHosts(const base::Clock& clock, const Settings& settings, queue::ScheduleSettings schedule)
      : clock_(clock), settings_(settings), schedule_(schedule) {}

  struct Known {
    std::string reason;  // of the last try
    base::Time until{};  // not tried before
  };  // a clock that is set back makes no pause longer
  // Nothing: try it, and say then whether it answered. Where it failed before, others wait meanwhile.
  std::optional<Known> known(const std::string& address);
  void failed(const std::string& address, std::string reason);
  // True: it had failed before.
  bool answered(const std::string& address) { return entries_.erase(address) > 0; }
  void forget_all() { entries_.clear(); }

 private:
  struct Entry {
    Known known;
    base::Milliseconds pause{};
    std::uint32_t failures = 0;
  };
  const base::Clock& clock_;
  const Settings& settings_;
  queue::ScheduleSettings schedule_;
  std::map<std::string, Entry> entries_;
};

}  // namespace pinnace::delivery
