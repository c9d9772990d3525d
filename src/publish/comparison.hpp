// What the DNS and the policy hosts serve, held against what should be there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dane/tlsa.hpp"
#include "publish/policy.hpp"
#include "publish/record.hpp"

namespace pinnace::publish {

// A record set as it was looked up.
template <class Record>
struct ServedSet {
  std::string failure;  // of the lookup, for people; empty: it was answered
  bool secure = false;  // by DNSSEC
  std::vector<Record> records;
  base::Seconds ttl{};
};

struct ServedHost {
  names::Domain name;
  std::string failure;                      // its addresses cannot be looked up
  bool addresses_secure = false;            // RFC 7672 2.2: else nobody looks for TLSA records
  std::vector<ServedSet<dane::Tlsa>> tlsa;  // of each of the host's ports
};

struct ServedDomain {
  names::Domain name;
  ServedSet<std::string> mx;  // hosts
  ServedSet<std::string> sts, tlsrpt;
  std::string policy_failure;  // why the policy host gave no policy
  std::optional<sts::Policy> policy;
};

enum class State : std::uint8_t { ok, missing, stale, extra, unknown };
std::string_view to_string(State state);

// What it does to mail, in the order of weight.
enum class Weight : std::uint8_t { good, note, warning, held };

struct Finding {
  enum class About : std::uint8_t { mx, dnssec, tlsa, sts, policy, tlsrpt };
  About about = About::mx;
  std::string owner;  // the name, or the policy's URL
  State state = State::ok;
  Weight weight = Weight::good;
  std::string text;
  std::string remedy;               // empty where it is good
  std::optional<base::Time> after;  // what the remedy ends with, or a new key's use, must wait until then
};
std::string_view to_string(Finding::About about);  // "mx", "dnssec", "tlsa", "mta-sts", "policy", "tlsrpt"

struct Moment {
  base::Time now{};
  base::Seconds ttl{};  // of the records that are published; what is served may have a longer one
};

std::vector<Finding> compare(const Host& host, const ServedHost& served, const Moment& moment);
std::vector<Finding> compare(const Settings& settings, const Domain& domain, const ServedDomain& served);

}  // namespace pinnace::publish
