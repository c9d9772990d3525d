// What there is to publish for receivers that stand behind a gate: the keys of each host, and what a domain
// declares. From them come the TLSA records (RFC 6698), the MTA-STS record and policy (RFC 8461) and the
// TLSRPT record (RFC 8460) that say in the DNS and over HTTPS what the gate says in its EHLO reply, so that
// neither can promise what the other breaks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "names/domain.hpp"
#include "pins/pin.hpp"
#include "sts/policy.hpp"

namespace pinnace::publish {

struct Key {
  pins::Pin pin;
  std::optional<base::Time> published;  // since when its record is in the DNS, where that is known
};

// An MX host whose keys are ours.
struct Host {
  names::Domain name;
  std::vector<Key> live;  // of each certificate that it may show (RSA and ECDSA side by side)
  std::vector<Key> backups;
  std::vector<std::uint16_t> ports{25};  // where its certificate is shown: 25, perhaps 465
};

// What a recipient domain declares.
struct Domain {
  names::Domain name;
  std::vector<names::Domain> mx;  // some may be others' hosts
  std::optional<sts::Mode> sts;   // none: no policy at all, unlike a policy that says "none"
  base::Seconds sts_max_age = std::chrono::days(7);
  bool sts_pins = false;              // the hosts' pins stand in the policy: they have domain scope
  std::vector<std::string> tlsrpt{};  // URIs as escaped_uri() gives them; empty: no record
};

struct Settings {
  std::vector<Host> hosts;
  std::vector<Domain> domains;

  const Host* host(const names::Domain& name) const;
};

// Can all of it be said in the DNS and over HTTPS, so that whoever reads it reads the same? Error
// "publish.settings" names the domain and what to change.
base::Result<> check(const Domain& domain);

// What is good, and less than may be meant: for people.
std::vector<std::string> remarks(const Settings& settings);

}  // namespace pinnace::publish
