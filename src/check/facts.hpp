// What was found of a domain's receiving side, as values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "delivery/probe.hpp"
#include "dns/mail_hosts.hpp"
#include "sts/cached.hpp"
#include "sts/txt.hpp"
#include "tlsrpt/txt.hpp"

namespace pinnace::check {

struct HostFacts {
  std::string host;
  std::string no_address;  // why there is none; empty: there are
  bool lookup_failed = false;
  dns::Addresses addresses;
  dane::HostTlsa tlsa;
  policy::Decision decision;
  std::vector<delivery::Probed> probed;
};

// A TXT record that a domain publishes.
template <class Parsed>
struct TxtFacts {
  std::string failure;    // the lookup's; empty: it was answered
  bool declared = false;  // there is a record that means to be one
  Parsed parsed;
};

struct StsFacts {
  TxtFacts<sts::ParsedTxt> txt;
  std::optional<sts::Cached> policy;
  bool unknown = false;  // whether there is a policy cannot be said, so that no host may be used
  std::string detail;    // for people: why there is none
  std::string problem;   // the result type of a fetch that failed (RFC 8460 4.3.2.2)
};

struct DomainFacts {
  std::string domain;
  base::Time now{};
  std::uint16_t port = 25;
  dns::MailHosts mx;
  StsFacts sts;
  TxtFacts<tlsrpt::ParsedTxt> tlsrpt;
  std::vector<HostFacts> hosts;  // best first
};

}  // namespace pinnace::check
