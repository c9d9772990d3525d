// Domains for the tests of this folder: x.test with its mail hosts, decided by policy::decide.
#pragma once

#include <functional>
#include <string>

#include "policy/facts_fixture.hpp"
#include "postfix/telling.hpp"

namespace pinnace::postfix::fixture {

using namespace policy::fixture;
using Tlsa = dane::HostTlsa::Kind;

inline HostKnown host(const std::string& name, const std::function<void(policy::Facts&)>& change = nullptr) {
  policy::Facts f = facts();
  f.host = f.host_name = name;
  if (change) change(f);
  return {name, std::make_shared<const policy::Decision>(policy::decide(f)), "", {}};
}

inline HostKnown unknown_host(const std::string& name) {
  return {name, nullptr, "the address of " + name + " cannot be looked up: SERVFAIL", {}};
}

inline DomainKnown domain(std::vector<HostKnown> hosts) {
  DomainKnown out;
  out.domain = "x.test";
  out.kind = DomainKnown::Kind::hosts;
  out.hosts = std::move(hosts);
  out.now = kNow;
  return out;
}

inline std::string octets(char c) { return std::string(32, c); }
inline std::string octets(const pins::Pin& p) {
  return {reinterpret_cast<const char*>(p.sha256.data()), p.sha256.size()};
}

inline SeenChain chain(const std::string& key, char certificate, std::vector<std::string> anchors = {}) {
  return {key, octets(certificate), kNow + 24h, std::move(anchors)};
}

inline dane::Tlsa tlsa_record(std::uint8_t usage, std::uint8_t selector, std::uint8_t matching, char fill) {
  return {usage, selector, matching, std::string(matching == dane::kSha512 ? 64 : 32, fill), true};
}

}  // namespace pinnace::postfix::fixture
