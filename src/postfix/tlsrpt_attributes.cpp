#include "postfix/tlsrpt_attributes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "names/domain.hpp"

namespace pinnace::postfix {
namespace {

constexpr std::size_t kMostOctets = 16'384;
// How long a Postfix process may keep the entry (seconds), where it does so: our own answers change sooner
// than policies do.
constexpr base::Seconds kMostTtl{300};

// Within { name = value } Postfix counts braces, drops what is blank at the ends and takes the first '=' for
// the one behind the name (mystrtokq(), extpar(), split_nameval()); all else is the value's.
bool can_be_braced(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](char c) { return c >= ' ' && c <= '~' && c != '{' && c != '}'; });
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

}  // namespace

std::string tlsrpt_attributes(const sts::Cached& policy, base::Time now, std::string_view failure) {
  const auto domain = names::Domain::parse(policy.domain);
  if (!domain || !policy.live(now)) return {};
  const auto left = std::chrono::duration_cast<base::Seconds>(policy.expires() - now);
  std::string out = fmt::format(" policy_type=sts policy_domain={} policy_ttl={}", domain->str(),
                                std::min(left, kMostTtl).count());
  if (failure.empty()) {
    // Not one of the patterns may be missing: newer ones of Postfix hold the MX hosts to them.
    for (const names::MxPattern& pattern : policy.policy.mx) out += " mx_host_pattern=" + pattern.str();
  } else {
    // Not one of them may be there: whom they do not match Postfix does not connect to, and reports nothing.
    out += fmt::format(" policy_failure={}", failure);
  }
  if (policy.policy.mx.empty() || out.size() > kMostOctets) return {};
  std::string_view rest = policy.body;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!can_be_braced(line)) continue;
    if (out.size() + line.size() + 32 > kMostOctets) break;
    out += fmt::format(" {{ policy_string = {} }}", line);
  }
  return out;
}

}  // namespace pinnace::postfix
