// A domain's MTA-STS policy as it is to be served (RFC 8461 3.2, 3.3).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "publish/settings.hpp"
#include "sts/policy.hpp"

namespace pinnace::publish {

// RFC 8461 3.3
inline constexpr std::string_view kPolicyPath = "/.well-known/mta-sts.txt";
inline constexpr std::string_view kPolicyType = "text/plain";
std::string policy_host(const names::Domain& domain);  // "mta-sts.example.org"

struct Policy {
  sts::Policy policy;
  std::string text;
  std::string id;  // of its record: another exactly where the text is another
};

// Nothing of a domain that has none.
std::optional<Policy> policy_of(const Settings& settings, const Domain& domain);

// The pins that stand in the policy: those of all hosts of the domain, live and backup. None where some host
// is not ours: senders hold every host of the domain to them (pinning-protocol 4.1).
std::vector<pins::Pin> domain_pins(const Settings& settings, const Domain& domain);

// What a web server serves: each policy at its host and path, and nothing else.
class PolicySite {
 public:
  PolicySite() = default;
  explicit PolicySite(const Settings& settings);

  // `host` as in the request: in any case, perhaps with a port. Served as kPolicyType. Nothing: there is
  // none, which is status 404.
  std::optional<std::string_view> find(std::string_view host, std::string_view path) const;
  bool empty() const { return texts_.empty(); }

 private:
  std::map<std::string, std::string, std::less<>> texts_;  // by host
};

}  // namespace pinnace::publish
