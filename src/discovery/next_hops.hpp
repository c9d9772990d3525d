// Next hops that the operator names for a domain in place of its MX: another server's address, or a mail
// store behind LMTP (RFC 2033).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dns/mail_hosts.hpp"
#include "io/address.hpp"
#include "policy/rule.hpp"

namespace pinnace::discovery {

struct NextHop {
  std::string host;         // a name, an address in brackets, or "unix:/path"
  std::uint16_t port = 0;   // none of a UNIX socket
  std::string unix_path{};  // not empty: a UNIX socket

  // "mail.example.net:587", "192.0.2.1:25", "[192.0.2.1]:25", "[2001:db8::1]:24", "unix:/run/dovecot/lmtp".
  // Error "discovery.next_hop".
  static base::Result<NextHop> parse(std::string_view text);
  bool local() const { return !unix_path.empty(); }
  std::string str() const;
  std::string binding() const;  // what pins are bound to (pinning-protocol 4)
};

struct FixedRoute {
  enum class Protocol : std::uint8_t { smtp, lmtp };
  FixedRoute(policy::NamePattern domains, Protocol how, std::vector<NextHop> where);

  policy::NamePattern pattern;
  Protocol protocol;
  std::vector<NextHop> hops;                    // at least one; tried in this order
  std::shared_ptr<const dns::MailHosts> hosts;  // the same, each as str()

  const NextHop* find(std::string_view host) const;  // by its str(); null: none of them
  std::string str() const;                           // "*.example.org by lmtp to unix:/run/dovecot/lmtp"
};
std::string_view to_string(FixedRoute::Protocol protocol);  // "smtp", "lmtp"

// Of all routes for a domain the most specific holds.
class FixedRoutes {
 public:
  FixedRoutes() = default;
  // Error "discovery.route": two routes for one name.
  static base::Result<FixedRoutes> make(std::vector<FixedRoute> routes);
  std::shared_ptr<const FixedRoute> find(std::string_view domain) const;  // null: the domain's MX
  const std::vector<std::shared_ptr<const FixedRoute>>& all() const { return routes_; }

 private:
  std::vector<std::shared_ptr<const FixedRoute>> routes_;  // most specific first
};

}  // namespace pinnace::discovery
