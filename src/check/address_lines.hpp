// The lines of one address, an item after the other: what its session showed (address_lines.cpp), and what
// each policy makes of it (policy_lines.cpp).
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "check/report.hpp"

namespace pinnace::check {

class AddressLines {
 public:
  AddressLines(const DomainFacts& facts, const HostFacts& host, const delivery::Probed& probed)
      : facts_(facts), host_(host), p_(probed) {}

  std::vector<Line> lines();

 private:
  void add(Item item, Verdict verdict, std::string text, std::string remedy = {}) {
    out_.push_back({item, verdict, std::move(text), std::move(remedy)});
  }
  void add_connection();
  void add_tls();
  void add_before_tls();
  void add_certificate();
  void add_dane();
  void add_dane_unseen();
  void add_no_match();
  void add_sts();
  void add_sts_pins();
  void add_pins();
  void add_stsec();
  void add_requiretls();
  void add_rules();
  void add_rest();

  bool in_tls() const { return !p_.version.empty(); }
  bool dane_matched() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.matches; });
  }
  bool dane_applies() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(), [](const auto& t) { return t.unusable.empty(); });
  }
  bool by_ca_record() const {
    return std::any_of(p_.tlsa.begin(), p_.tlsa.end(),
                       [](const auto& t) { return t.matches && t.record.usage == dane::kDaneTa; });
  }
  const sts::Policy* sts() const {
    const auto& cached = facts_.sts.policy;
    return cached && cached->policy.mode != sts::Mode::none ? &cached->policy : nullptr;
  }
  // RFC 7671 5.1: where DANE-EE alone counts, names and dates do not.
  bool key_alone_counts() const { return dane_matched() && !by_ca_record() && !sts(); }
  // A failed requirement holds mail up only where it is enforced.
  static Verdict weight(const policy::Requirement& r) {
    return r.enforced ? Verdict::would_defer : Verdict::warning;
  }
  // The requirement's finding is missing where there was no TLS.
  bool met(std::size_t i) const { return i >= p_.findings.size() || p_.findings[i].met; }
  std::string tlsa_to_publish() const {
    return fmt::format("_{}._tcp.{}. TLSA 3 1 1 {}", facts_.port,
                       host_.tlsa.base.empty() ? host_.host : host_.tlsa.base, p_.leaf.key_sha256);
  }

  std::string names_of_leaf() const;

  const DomainFacts& facts_;
  const HostFacts& host_;
  const delivery::Probed& p_;
  std::vector<Line> out_;
};

}  // namespace pinnace::check
