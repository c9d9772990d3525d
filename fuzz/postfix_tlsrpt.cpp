// Whatever an MTA-STS policy's text is, Postfix reads out of the attributes that tell it no others.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "postfix/policy_entry_fixture.hpp"
#include "postfix/tlsrpt_attributes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pinnace;
  sts::Cached policy;
  policy.domain = "x.test";
  policy.body.assign(reinterpret_cast<const char*>(data), size);
  policy.policy.mode = sts::Mode::enforce;
  policy.policy.mx = {*names::MxPattern::parse("*.x.test")};
  policy.policy.max_age = base::Seconds(86400);
  const auto told = postfix::fixture::attributes_of(postfix::tlsrpt_attributes(policy, policy.fetched));
  if (!told) std::abort();
  const std::set<std::string> once = {"policy_type", "policy_domain", "policy_ttl", "mx_host_pattern"};
  std::size_t others = 0;
  for (const auto& [name, value] : *told) {
    if (once.contains(name)) continue;
    ++others;
    if (name != "policy_string" || value.empty() || policy.body.find(value) == std::string::npos)
      std::abort();
  }
  if (told->size() != once.size() + others) std::abort();
  return 0;
}
