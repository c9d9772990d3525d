// All that is known of a recipient domain and of its mail hosts, gathered for the decision: DNS, TLSA,
// MTA-STS, noted pins, the operator's rules. On the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "discovery/next_hops.hpp"
#include "discovery/pin_store.hpp"
#include "discovery/routes.hpp"
#include "discovery/sts_policies.hpp"
#include "policy/decide.hpp"

namespace pinnace::discovery {

struct DomainFacts {
  std::string domain;                           // or an address literal with its brackets
  std::shared_ptr<const dns::MailHosts> hosts;  // of a literal: itself
  std::shared_ptr<const StsFound> sts;
  std::shared_ptr<const FixedRoute> route{};  // not null: `hosts` are its, and no MTA-STS policy is asked for
};

struct HostFacts {
  policy::Facts facts;                              // all but what a message adds (wish, bounce)
  std::shared_ptr<const dns::Addresses> addresses;  // found; none of a UNIX socket
  base::Seconds ttl{};                              // of what the DNS said of it
};

// "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3).
std::optional<io::IpAddress> address_literal(const std::string& domain);

class Gatherer {
 public:
  // `pins` may be null: nothing is noted. `port` of the MX hosts.
  Gatherer(const base::Clock& clock, Routes& routes, StsPolicies& sts, PinStore* pins, std::uint16_t port);

  // The same for MX hosts at another port.
  Gatherer at_port(std::uint16_t port) const {
    Gatherer out = *this;
    out.port_ = port;
    return out;
  }

  // Never null. What is set binds every decision from now on.
  void set_rules(std::shared_ptr<const policy::RuleBook> rules) {
    rules_ = std::move(rules);
    ++rules_set_;
  }
  const std::shared_ptr<const policy::RuleBook>& rules() const { return rules_; }

  // From now on.
  void set_routes(FixedRoutes routes) {
    fixed_ = std::move(routes);
    ++rules_set_;
  }

  // Error "discovery.domain": it is no domain. What the DNS says of it stands in `hosts`.
  io::Task<base::Result<DomainFacts>> domain(std::string domain);
  // Error "discovery.address" where the host has no address to be found now, "discovery.no_address" where it
  // has none, and the store's own: what cannot be read is never taken for "nothing noted".
  io::Task<base::Result<HostFacts>> host(DomainFacts domain, std::string host);
  // RFC 8461 5.1: a message failed under the domain's policy; is there another by now?
  io::Task<void> check_sts_again(std::string domain);

  // What is known to bind mail for a domain whatever hosts the DNS names, for people; empty: nothing. An
  // answer without DNSSEC which denies the domain may be forged.
  std::string bound(const DomainFacts& domain) const;
  // What is known to bind one of its hosts that cannot be looked up.
  policy::Bound bound(const DomainFacts& domain, const std::string& host) const;

  // "mx.example.org", with ":port" where it is not 25: what pins are bound to (pinning-protocol 4).
  std::string binding_name(const std::string& host) const;
  // Changes with every note and every set of rules.
  std::pair<std::uint64_t, std::uint64_t> version() const;

 private:
  base::Result<> add_noted(policy::Facts& facts) const;
  io::Task<base::Result<>> find_host(HostFacts& out, std::uint16_t port);

  const base::Clock& clock_;
  Routes& routes_;
  StsPolicies& sts_;
  PinStore* pins_;
  std::uint16_t port_;
  std::shared_ptr<const policy::RuleBook> rules_ = std::make_shared<const policy::RuleBook>();
  FixedRoutes fixed_;
  std::uint64_t rules_set_ = 0;  // or routes
};

}  // namespace pinnace::discovery
