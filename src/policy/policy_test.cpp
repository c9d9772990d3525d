#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/decide.hpp"

namespace pinnace::policy {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

pins::Pin pin(int n) {
  pins::Pin p;
  p.sha256[0] = static_cast<std::uint8_t>(n);
  return p;
}

pins::PinSet set(pins::Scope scope, std::string name) {
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

Facts facts() {
  Facts f;
  f.domain = "x.test";
  f.host = f.host_name = "mx.x.test";
  f.now = kNow;
  return f;
}

TEST(Decide, NothingKnownRequiresNothing) {
  const Decision d = decide(facts());
  EXPECT_FALSE(d.tls_required);
  EXPECT_TRUE(judge_without_tls(d, "no STARTTLS", "192.0.2.1").usable);
}

TEST(Decide, EachSourceRequiresTlsWhileInForce) {
  struct Case {
    const char* why;
    void (*change)(Facts&);
    bool tls_required;
    std::size_t requirements;
  };
  const Case cases[] = {
      {"host pins", [](Facts& f) { f.host_pins = set(pins::Scope::host, "mx.x.test"); }, true, 1},
      {"domain pins", [](Facts& f) { f.domain_pins = set(pins::Scope::domain, "x.test"); }, true, 1},
      {"both bind",
       [](Facts& f) {
         f.host_pins = set(pins::Scope::host, "mx.x.test");
         f.domain_pins = set(pins::Scope::domain, "x.test");
       },
       true, 2},
      {"expired pins",
       [](Facts& f) {
         f.host_pins = set(pins::Scope::host, "mx.x.test");
         f.now += 1h;
       },
       false, 0},
      {"provisional pins are tested",
       [](Facts& f) {
         f.host_pins = set(pins::Scope::host, "mx.x.test");
         f.host_pins->stage = pins::Stage::provisional;
       },
       false, 1},
      {"MODE=REPORT is tested",
       [](Facts& f) {
         f.host_pins = set(pins::Scope::host, "mx.x.test");
         f.host_pins->mode = pins::Mode::report;
       },
       false, 1},
      {"STSEC", [](Facts& f) { f.stsec = pins::StsecRecord{"mx.x.test", kNow, kNow + 1s}; }, true, 1},
      {"expired STSEC", [](Facts& f) { f.stsec = pins::StsecRecord{"mx.x.test", kNow, kNow}; }, false, 0},
  };
  for (const auto& c : cases) {
    Facts f = facts();
    c.change(f);
    const Decision d = decide(f);
    EXPECT_EQ(d.tls_required, c.tls_required) << c.why;
    EXPECT_EQ(d.requirements.size(), c.requirements) << c.why;
    EXPECT_EQ(judge_without_tls(d, "STARTTLS is not offered", "192.0.2.1").usable, !c.tls_required) << c.why;
  }
}

// Section 2: the right name of a CA pin's leaf.
TEST(Decide, NamesNeverComeFromUnsignedDns) {
  Facts f = facts();
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  f.domain_pins = set(pins::Scope::domain, "x.test");
  f.domain_pins->hosts = {"old.x.test"};
  EXPECT_THAT(decide(f).requirements[0].names, ElementsAre("mx.x.test"));
  EXPECT_THAT(decide(f).requirements[1].names, ElementsAre("old.x.test", "x.test"));
  f.mx_secure = true;
  EXPECT_THAT(decide(f).requirements[1].names, ElementsAre("mx.x.test", "old.x.test", "x.test"));
}

TEST(Decide, KeyDiffersWheneverARequirementDoes) {
  Facts f = facts();
  const std::string none = decide(f).key();
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  const std::string pinned = decide(f).key();
  f.host_pins->pins.pop_back();
  const std::string fewer = decide(f).key();
  f.host_pins->stage = pins::Stage::provisional;
  const std::string tested = decide(f).key();
  EXPECT_EQ(std::set<std::string>({none, pinned, fewer, tested}).size(), 4U);
}

TEST(Judge, EnforcedFailureDefersAndSaysAllAnOperatorNeeds) {
  Facts f = facts();
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  const Decision d = decide(f);
  const Presented p{"CN=mx.x.test", "CN=Evil CA", "KEY=", false, "192.0.2.66"};
  EXPECT_TRUE(judge(d, {{true, ""}}, p).usable);
  const Verdict v = judge(d, {{false, "the leaf's key is none of them"}}, p);
  EXPECT_FALSE(v.usable);
  EXPECT_EQ(v.status, "4.7.5");
  EXPECT_EQ(v.failure, "validation-failure");
  for (const char* part : {"mx.x.test", "192.0.2.66", "noted 2023-11-14T21:13:20Z", "CN=Evil CA",
                           "KEY=", "no trusted CA", "somebody sits in between"}) {
    EXPECT_THAT(v.sentence, HasSubstr(part));
  }
}

TEST(Judge, TestedFailureIsReportedAndDelivers) {
  Facts f = facts();
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  f.host_pins->mode = pins::Mode::report;
  const Verdict v = judge(decide(f), {{false, "no"}}, {});
  EXPECT_TRUE(v.usable);
  EXPECT_EQ(v.reports.size(), 1U);
}

TEST(Judge, AllBindingSetsMustMatch) {
  Facts f = facts();
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  f.domain_pins = set(pins::Scope::domain, "x.test");
  const Decision d = decide(f);
  EXPECT_FALSE(judge(d, {{true, ""}, {false, "no"}}, {}).usable);
  EXPECT_FALSE(judge(d, {{false, "no"}, {true, ""}}, {}).usable);
  EXPECT_TRUE(judge(d, {{true, ""}, {true, ""}}, {}).usable);
}

}  // namespace
}  // namespace pinnace::policy
