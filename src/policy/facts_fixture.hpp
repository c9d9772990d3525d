// Facts for the tests of this folder: mx.x.test, a mail host of x.test, and each source that may bind it.
#pragma once

#include <string>

#include "policy/judge.hpp"

namespace pinnace::policy::fixture {

using namespace std::chrono_literals;

inline const base::Time kNow = base::Time(base::Seconds(1'700'000'000));
inline const dane::Tlsa kDaneEe{dane::kDaneEe, dane::kSpki, dane::kSha256, std::string(32, 'x'), true};
inline const dane::Tlsa kPkixEe{dane::kPkixEe, dane::kSpki, dane::kSha256, std::string(32, 'x'), true};

inline pins::Pin pin(int n) {
  pins::Pin p;
  p.sha256[0] = static_cast<std::uint8_t>(n);
  return p;
}

inline pins::PinSet set(pins::Scope scope, std::string name) {
  pins::PinSet s;
  s.scope = scope;
  s.name = std::move(name);
  s.pins = {{pin(1), kNow + 1h}, {pin(2), kNow + 1h}};
  s.basis = pins::Basis::authenticated;
  s.stage = pins::Stage::enforced;
  s.noted = kNow - 1h;
  s.noted_from = "mx.x.test 192.0.2.1";
  return s;
}

inline Facts facts() {
  Facts f;
  f.domain = "x.test";
  f.host = f.host_name = "mx.x.test";
  f.now = kNow;
  return f;
}

inline dane::HostTlsa tlsa(dane::HostTlsa::Kind kind, std::vector<dane::Tlsa> records = {}) {
  return {kind, "mx.x.test", std::move(records), "detail"};
}

inline sts::Cached sts_policy(const std::string& mode, const std::string& mx, const std::string& more = "") {
  sts::Cached c;
  c.domain = "x.test";
  c.id = "1";
  c.body = "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 86400\n" + more;
  c.policy = sts::parse_policy(c.body).policy.value();
  c.fetched = kNow - 1h;
  return c;
}

inline Rule rule(Rule::Subject subject, const char* pattern, std::optional<Level> level = std::nullopt) {
  Rule out(subject, *NamePattern::parse(pattern));
  out.level = level;
  return out;
}

inline Rule waiver(std::vector<Waivable> sources, Rule::Subject subject = Rule::Subject::domain) {
  Rule out = rule(subject, "*.test");
  out.waiver = {std::move(sources), "their postmaster knows", kNow + 1h};
  return out;
}

inline std::shared_ptr<const Rule> shared(Rule rule) { return std::make_shared<const Rule>(std::move(rule)); }

}  // namespace pinnace::policy::fixture
