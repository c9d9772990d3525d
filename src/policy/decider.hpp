// How decide() works: a source after the other adds to one decision. Only this folder's sources include it.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "policy/decide.hpp"

namespace pinnace::policy {

class Decider {
 public:
  explicit Decider(const Facts& facts) : facts_(facts) {
    out_.host = facts.host;
    out_.server_name = facts.host_name;
    out_.sts_failed = facts.sts_failed;
  }

  Decision decide() {
    if (routed()) note("route: " + facts_.route + ", in place of the domain's MX");
    if (facts_.local) return decide_local();
    add_dane();
    add_pins();
    add_sts();
    add_stsec();
    waive_by_rule(facts_.domain_rule.get());
    waive_by_rule(facts_.host_rule.get());
    waive_by_sender();
    settle_dane_and_sts();
    find_voucher();
    add_rule(facts_.domain_rule.get());
    add_rule(facts_.host_rule.get());
    add_requiretls();
    finish();
    return std::move(out_);
  }

 private:
  Requirement& add(Source source, Demand demand, std::string sentence) {
    Requirement r;
    r.source = source;
    r.demand = demand;
    r.sentence = std::move(sentence);
    out_.requirements.push_back(std::move(r));
    return out_.requirements.back();
  }
  void note(std::string what) { out_.notes.push_back(std::move(what)); }

  Decision decide_local();
  void add_dane();
  void add_pins();
  void add_pin_set(Source source, const std::optional<pins::PinSet>& set, std::vector<std::string> names);
  std::vector<std::string> domain_names() const;
  void add_sts();
  void add_stsec();
  void waive_by_rule(const Rule* rule);
  void waive_by_sender();
  void settle_dane_and_sts();
  void find_voucher();
  void add_rule(const Rule* rule);
  void add_level(const Rule& rule);
  void add_rule_pins(const Rule& rule);
  void add_requiretls();
  void choose_client_certificate();
  void finish();

  bool routed() const { return !facts_.route.empty(); }
  bool named() const { return facts_.mx_secure || facts_.no_mx || routed(); }
  // One that lives for no time was fetched for this very attempt, and binds it.
  bool sts_in_force() const {
    return facts_.sts && (facts_.sts->live(facts_.now) || facts_.sts->policy.max_age == base::Seconds(0));
  }
  bool sts_lists() const { return sts_in_force() && facts_.sts->policy.lists(facts_.host_name); }
  bool enforced(Source source, Demand demand) const {
    return std::any_of(out_.requirements.begin(), out_.requirements.end(), [&](const Requirement& r) {
      return r.source == source && r.demand == demand && r.enforced;
    });
  }
  bool dane_authenticates() const { return enforced(Source::dane, Demand::dane); }

  const Facts& facts_;
  Decision out_;
};

// The first few, for people.
std::string some_of(const std::vector<names::MxPattern>& patterns);

}  // namespace pinnace::policy
