// The one decision: facts about a host in, what a connection to it must satisfy out.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dane/tlsa.hpp"
#include "pins/pin_set.hpp"
#include "policy/decision.hpp"
#include "policy/rule.hpp"
#include "sts/cached.hpp"

namespace pinnace::policy {

// What the sender of the message asked for (RFC 8689).
enum class Wish : std::uint8_t { none, require, waive };

struct Facts {
  std::string domain;      // recipient domain
  std::string canonical;   // at the end of its aliases, where the MX records are; empty: itself
  std::string host;        // MX host, with ":port" where it is not 25
  std::string host_name;   // MX host alone, as a certificate names it
  bool mx_secure = false;  // DNSSEC vouches for the host's name
  bool no_mx = false;      // the host is the recipient domain itself: nothing else named it
  dane::HostTlsa tlsa;
  std::optional<pins::PinSet> host_pins;
  std::optional<pins::PinSet> domain_pins;
  std::optional<pins::StsecRecord> stsec;
  std::optional<sts::Cached> sts;  // live, or with max_age=0 fetched for this attempt
  std::string sts_detail;          // where it is from, or why there is none, for people
  bool sts_failed = false;         // whether there is a policy cannot be said: the DNS answer is forged
  bool sts_unsure = false;         // none was found, for a lookup or fetch failed: there may be one
  std::shared_ptr<const Rule> domain_rule;  // null: none
  std::shared_ptr<const Rule> host_rule;
  Wish wish = Wish::none;
  // The operator names the host for this domain in place of its MX: how, for people, and for the decision's
  // key
  // ("lmtp to mail.example.net:24"). Empty: an MX host.
  std::string route;
  bool local = false;   // of a route: a socket of this machine, no network between
  bool bounce = false;  // the null reverse-path: REQUIRETLS holds nothing up (RFC 8689 4.2.1, 5)
  base::Time now{};
};

Decision decide(const Facts& facts);

}  // namespace pinnace::policy
