// When an address may be connected to again, whatever hosts are said to be there: MX and address records are
// anybody's, and can name a third party's address a thousand times.
#pragma once

#include <algorithm>
#include <map>

#include "base/clock.hpp"
#include "dns/mail_hosts.hpp"
#include "io/address.hpp"

namespace pinnace::policyd {

class AddressRest {
 public:
  void until(const io::IpAddress& address, base::Time end, base::Time now) {
    if (ends_.size() >= kMost) std::erase_if(ends_, [&](const auto& one) { return one.second <= now; });
    ends_[address.party()] = end;
  }
  bool rests(const io::IpAddress& address, base::Time now) const {
    const auto at = ends_.find(address.party());
    return at != ends_.end() && at->second > now;
  }
  // When the first of them may be; perhaps long ago.
  base::Time first(const dns::Addresses& addresses) const {
    base::Time out = base::Time::max();
    for (const io::IpAddress& address : addresses.addresses) {
      const auto at = ends_.find(address.party());
      out = std::min(out, at == ends_.end() ? base::Time{} : at->second);
    }
    return out;
  }

 private:
  // Cleaned of what is over then. What is not is bounded by the connections that are begun meanwhile.
  static constexpr std::size_t kMost = 10'000;
  std::map<io::IpAddress, base::Time> ends_;
};

}  // namespace pinnace::policyd
