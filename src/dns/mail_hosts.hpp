// The hosts that take a domain's mail (RFC 5321 5.1, RFC 7505), and their addresses.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dns/rdata.hpp"
#include "dns/resolver.hpp"
#include "names/domain.hpp"

namespace pinnace::dns {

struct MailHosts {
  enum class Kind {
    hosts,
    null_mx,    // the domain takes no mail (RFC 7505): permanent
    no_domain,  // permanent
    failure,    // temporary
  };
  Kind kind = Kind::failure;
  Security security = Security::insecure;  // of the answer that named the hosts
  bool implicit = false;                   // no MX: the domain itself (RFC 5321 5.1)
  std::vector<std::string> hosts;          // best first; at most kMostHosts
  std::vector<std::uint16_t> preferences;  // of each; empty: all differ
  std::string canonical;                   // at the end of the domain's aliases; empty: itself
  base::Seconds ttl{};
  std::string detail;

  static constexpr std::size_t kMostHosts = 20;
  // May either of the two come first?
  bool equal(std::size_t a, std::size_t b) const {
    return a == b || (!preferences.empty() && preferences.at(a) == preferences.at(b));
  }
};

// `random(n)` gives 0 to n-1: hosts of one preference are shuffled (RFC 5321 5.1).
io::Task<MailHosts> find_mail_hosts(Resolver& resolver, names::Domain domain,
                                    std::function<std::size_t(std::size_t)> random);

// The pure part: what an answer to an MX question means.
MailHosts mail_hosts_from(const Answer& answer, const names::Domain& domain,
                          const std::function<std::size_t(std::size_t)>& random);

struct Addresses {
  enum class Kind { found, none, failure };
  Kind kind = Kind::failure;
  Security security = Security::insecure;  // the weaker of the families that were answered
  std::vector<io::IpAddress> addresses;    // IPv6 first; at most kMostOfFamily of each (RFC 5321 5.1)
  std::string canonical;
  base::Seconds ttl{};
  std::string detail;

  static constexpr std::size_t kMostOfFamily = 5;
};

io::Task<Addresses> find_addresses(Resolver& resolver, std::string host);
Addresses addresses_from(const Answer& v4, const Answer& v6, const std::string& host);

}  // namespace pinnace::dns
