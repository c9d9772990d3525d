#include "publish/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/sip_hash.hpp"
#include "pins/advert.hpp"

namespace pinnace::publish {
namespace {

// RFC 8461 3.2
std::string text_of(const sts::Policy& policy) {
  std::string out = fmt::format("version: STSv1\r\nmode: {}\r\n", sts::to_string(policy.mode));
  for (const names::MxPattern& mx : policy.mx) out += fmt::format("mx: {}\r\n", mx.str());
  out += fmt::format("max_age: {}\r\n", policy.max_age.count());
  for (const pins::Pin& pin : policy.pins) out += fmt::format("pin-sha256: {}\r\n", pin.str());
  return out;
}

// RFC 8461 3.1: up to 32 letters and digits that are others for every other policy. Two hashes of 64 bits
// under fixed keys: it is the same on every machine, and no secret.
std::string id_of(std::string_view text) {
  return fmt::format("{:016x}{:016x}", base::sip_hash({1, 0}, text), base::sip_hash({2, 0}, text));
}

}  // namespace

std::string policy_host(const names::Domain& domain) { return "mta-sts." + domain.str(); }

std::vector<pins::Pin> domain_pins(const Settings& settings, const Domain& domain) {
  std::vector<pins::Pin> out;
  const auto add = [&out](const std::vector<Key>& keys) {
    for (const Key& key : keys) {
      if (std::find(out.begin(), out.end(), key.pin) == out.end()) out.push_back(key.pin);
    }
  };
  for (const names::Domain& mx : domain.mx) {
    const Host* host = settings.host(mx);
    if (!host) return {};
    add(host->live);
    add(host->backups);
  }
  // What a sender would not read to its end must not be half a promise.
  if (out.size() > pins::kMaxPins) out.clear();
  return out;
}

std::optional<Policy> policy_of(const Settings& settings, const Domain& domain) {
  if (!domain.sts) return std::nullopt;
  Policy out;
  out.policy.mode = *domain.sts;
  out.policy.max_age = std::min(domain.sts_max_age, sts::kMaxAge);
  for (const names::Domain& mx : domain.mx) {
    if (auto pattern = names::MxPattern::parse(mx.str())) out.policy.mx.push_back(std::move(*pattern));
  }
  if (domain.sts_pins) out.policy.pins = domain_pins(settings, domain);
  out.text = text_of(out.policy);
  out.id = id_of(out.text);
  return out;
}

PolicySite::PolicySite(const Settings& settings) {
  for (const Domain& domain : settings.domains) {
    if (auto policy = policy_of(settings, domain)) texts_[policy_host(domain.name)] = std::move(policy->text);
  }
}

std::optional<std::string_view> PolicySite::find(std::string_view host, std::string_view path) const {
  if (path != kPolicyPath) return std::nullopt;
  std::string name(host.substr(0, host.find(':')));
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c; });
  if (name.ends_with('.')) name.pop_back();
  const auto found = texts_.find(name);
  if (found == texts_.end()) return std::nullopt;
  return found->second;
}

}  // namespace pinnace::publish
