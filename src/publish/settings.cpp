#include "publish/settings.hpp"

#include <fmt/format.h>

#include "publish/policy.hpp"
#include "publish/record.hpp"
#include "tlsrpt/txt.hpp"

namespace pinnace::publish {
namespace {

// A record that no answer over UDP can bring is asked for over TCP, where some do not ask.
constexpr std::size_t kLongestTxt = 4096;

std::unexpected<base::Error> bad(const Domain& domain, std::string_view what) {
  return base::fail("publish.settings", fmt::format("{}: {}", domain.name.str(), what));
}

}  // namespace

const Host* Settings::host(const names::Domain& name) const {
  for (const Host& h : hosts) {
    if (h.name == name) return &h;
  }
  return nullptr;
}

base::Result<> check(const Domain& domain) {
  for (const std::string_view label : {"_smtp._tls.", "_mta-sts.", "mta-sts."}) {
    if (!names::Domain::parse(std::string(label) + domain.name.str()))
      return bad(domain, fmt::format("the name is too long to stand behind {}", label));
  }
  for (const names::Domain& mx : domain.mx) {
    if (!names::MxPattern::parse(mx.str()))
      return bad(domain, fmt::format("mx {}: no MTA-STS policy can list that name (RFC 8461 3.2)", mx.str()));
    if (!names::Domain::parse("_25._tcp." + mx.str()))
      return bad(domain, fmt::format("mx {}: the name is too long to stand behind _25._tcp", mx.str()));
  }
  if (const auto policy = policy_of({{}, {domain}}, domain)) {
    const sts::ParsedPolicy read = sts::parse_policy(policy->text);
    if (!read.policy) return bad(domain, "its policy would not be valid: " + read.problems.front());
  }
  if (domain.tlsrpt.empty()) return {};
  const std::string text = tlsrpt_record(domain).text;
  const tlsrpt::ParsedTxt read = tlsrpt::parse_txt(std::vector{text});
  if (text.size() > kLongestTxt) return bad(domain, "tlsrpt: the addresses are too long for one record");
  if (!read.txt || read.txt->rua != domain.tlsrpt)
    return bad(domain, "tlsrpt: " + (read.problems.empty() ? "not valid" : read.problems.front()));
  return {};
}

std::vector<std::string> remarks(const Settings& settings) {
  std::vector<std::string> out;
  for (const Domain& domain : settings.domains) {
    for (const names::Domain& mx : domain.mx) {
      if (settings.host(mx)) continue;
      out.push_back(fmt::format(
          "{}: the keys of its mx {} are not here, so there are no TLSA records for it{}", domain.name.str(),
          mx.str(), domain.sts_pins ? ", and no pins in the policy, which would bind that host too" : ""));
    }
  }
  return out;
}

}  // namespace pinnace::publish
