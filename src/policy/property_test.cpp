// For random facts and random sessions: a source more never lets through what the others kept back, save
// where a stronger one takes a place that the standards give it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "policy/facts_fixture.hpp"

namespace pinnace::policy {
namespace {

using namespace fixture;

// What a session can show, as far as requirements ask.
struct Shown {
  bool tls, dane, webpki, tls13, requiretls;
  int key;
};

bool meets(const Requirement& r, const Shown& s) {
  switch (r.demand) {
    case Demand::tls:
      return s.tls;
    case Demand::pins:
      return s.tls && std::find(r.pins.begin(), r.pins.end(), pin(s.key)) != r.pins.end();
    case Demand::dane:
      return s.tls && s.dane;
    case Demand::webpki:
      return s.tls && s.webpki;
    case Demand::protocol:
      return s.tls && reaches(s.tls13 ? "TLSv1.3" : "TLSv1.2", r.protocol);
    case Demand::offers_requiretls:
      return s.tls && s.requiretls;
    case Demand::unmet:
      break;
  }
  return false;
}

std::vector<Requirement> kept_back_by(const Decision& d, const Shown& s) {
  std::vector<Requirement> out;
  for (const Requirement& r : d.requirements) {
    if (r.enforced && !meets(r, s)) out.push_back(r);
  }
  return out;
}

class Random {
 public:
  bool coin() { return number(2) == 0; }
  int number(int below) { return static_cast<int>(engine_() % static_cast<unsigned>(below)); }

  pins::PinSet pin_set(pins::Scope scope, const char* name) {
    pins::PinSet s = set(scope, name);
    for (auto& p : s.pins) p = {pin(number(4)), kNow + (number(5) == 0 ? -1h : 1h)};
    if (number(4) == 0) s.stage = pins::Stage::provisional;
    if (number(4) == 0) s.mode = pins::Mode::report;
    return s;
  }
  dane::HostTlsa host_tlsa() {
    using Kind = dane::HostTlsa::Kind;
    const Kind kind = std::array{Kind::none, Kind::failure, Kind::records, Kind::records}[number(4)];
    if (kind != Kind::records) return tlsa(kind);
    return tlsa(kind, {coin() ? kDaneEe : kPkixEe});
  }
  sts::Cached policy() {
    const char* mode = std::array{"enforce", "enforce", "testing", "none"}[number(4)];
    sts::Cached c = sts_policy(mode, std::array{"mx.x.test", "*.x.test", "*.y.test"}[number(3)]);
    if (number(3) == 0) c.policy.pins = {pin(number(4))};
    if (number(6) == 0) c.fetched = kNow - 48h;
    return c;
  }
  Rule any_rule(Rule::Subject subject) {
    Rule r = rule(subject, "*");
    if (coin()) r.level = static_cast<Level>(number(6));
    if (number(3) == 0) r.pins = {pin(number(4)), pin(number(4))};
    if (number(3) == 0 && subject == Rule::Subject::domain)
      r.mx = {*names::MxPattern::parse(coin() ? "mx.x.test" : "mx.y.test")};
    if (number(3) == 0) r.min_protocol = coin() ? Protocol::tls12 : Protocol::tls13;
    return r;
  }
  Shown shown() { return {number(5) != 0, coin(), coin(), coin(), coin(), number(4)}; }

 private:
  std::mt19937 engine_{20261124};
};

// Adds source number n to the facts.
void add(Facts& f, int n, Random& random) {
  switch (n) {
    case 0:
      f.tlsa = random.host_tlsa();
      return;
    case 1:
      f.sts = random.policy();
      return;
    case 2:
      f.host_pins = random.pin_set(pins::Scope::host, "mx.x.test");
      return;
    case 3:
      f.domain_pins = random.pin_set(pins::Scope::domain, "x.test");
      return;
    case 4:
      f.stsec = pins::StsecRecord{"mx.x.test", kNow - 1h, kNow + 1h};
      return;
    case 5:
      f.domain_rule = shared(random.any_rule(Rule::Subject::domain));
      return;
    case 6:
      f.host_rule = shared(random.any_rule(Rule::Subject::host));
      return;
    default:
      f.wish = Wish::require;
  }
}
constexpr int kSources = 8;

// Where one that was added may stand in for one that failed.
bool stands_in(int added, const Requirement& failed, const Decision& after, const Shown& s) {
  const bool vouched = after.mx != MxVouched::no;
  const bool securely = after.mx == MxVouched::dnssec || after.mx == MxVouched::itself;
  const bool unmet = failed.demand == Demand::unmet, webpki = failed.demand == Demand::webpki;
  if (added == 0 && s.tls && s.dane) {
    // DANE that the session meets: RFC 8461 2, RFC 8689 4.2.1 step 4, a rule's "authenticated" and "dane".
    if (failed.source == Source::sts) return securely;
    if (failed.source == Source::requiretls) return webpki;
    const bool of_host = failed.sentence.starts_with("the rule for host");
    if (failed.source == Source::rule && (webpki || unmet)) return vouched || of_host;
  }
  // What vouches for the host's name: RFC 8689 4.2.1 step 2 by a policy, a domain's rule by a policy.
  if (added != 1) return false;
  if (failed.source == Source::requiretls) return unmet;
  return failed.source == Source::rule && vouched && (unmet || (webpki && s.dane));
}

TEST(Property, ASourceMoreNeverLetsThroughWhatTheOthersKeptBack) {
  Random random;
  int compared = 0, kept = 0;
  for (int round = 0; round < 20'000; ++round) {
    Facts f = facts();
    f.mx_secure = random.coin();
    f.no_mx = random.number(8) == 0;
    const int added = random.number(kSources);
    for (int n = 0; n < kSources; ++n) {
      if (n != added && random.coin()) add(f, n, random);
    }
    const Decision before = decide(f);
    add(f, added, random);
    const Decision after = decide(f);
    EXPECT_GE(after.tls_required, before.tls_required);
    for (int session = 0; session < 8; ++session) {
      const Shown s = random.shown();
      ++compared;
      if (!kept_back_by(after, s).empty()) {
        ++kept;
        continue;
      }
      for (const Requirement& failed : kept_back_by(before, s)) {
        EXPECT_TRUE(stands_in(added, failed, after, s))
            << "round " << round << ", source " << added << " lets through what was kept back by "
            << to_string(failed.source) << ": " << failed.sentence;
      }
    }
  }
  EXPECT_GT(kept, compared / 2) << "most random sessions fail, or the test says little";
  EXPECT_LT(kept, compared);
}

// A rule's waiver takes away what it names, and nothing else; one for a host nothing of the domain's.
bool named(Rule::Subject subject, Waivable waived, const Requirement& r) {
  const bool of_domain = subject == Rule::Subject::domain;
  switch (r.source) {
    case Source::dane:
      return waived == Waivable::dane;
    case Source::stsec:
      return waived == Waivable::stsec;
    case Source::pkp_host:
      return waived == Waivable::pkp;
    case Source::pkp_domain:
      return of_domain && waived == Waivable::pkp;
    case Source::sts_pins:
      return of_domain && (waived == Waivable::pkp || waived == Waivable::sts);
    case Source::sts:
      return waived == Waivable::sts && (of_domain || r.demand == Demand::webpki);
    default:
      return false;
  }
}

TEST(Property, AWaiverTakesAwayOnlyWhatItNames) {
  Random random;
  for (int round = 0; round < 10'000; ++round) {
    Facts f = facts();
    f.mx_secure = random.coin();
    for (int n = 0; n < 5; ++n) {
      if (random.coin()) add(f, n, random);
    }
    const Decision before = decide(f);
    const auto waived = static_cast<Waivable>(random.number(4));
    const auto subject = random.coin() ? Rule::Subject::domain : Rule::Subject::host;
    (subject == Rule::Subject::domain ? f.domain_rule : f.host_rule) = shared(waiver({waived}, subject));
    const Decision after = decide(f);
    ASSERT_EQ(before.requirements.size(), after.requirements.size());
    for (std::size_t i = 0; i < before.requirements.size(); ++i) {
      const Requirement& was = before.requirements[i];
      if (named(subject, waived, was)) {
        EXPECT_FALSE(after.requirements[i].enforced) << was.sentence;
      } else {
        EXPECT_GE(after.requirements[i].enforced, was.enforced) << was.sentence;
      }
    }
  }
}

}  // namespace
}  // namespace pinnace::policy
