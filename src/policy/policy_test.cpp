#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "policy/facts_fixture.hpp"

namespace pinnace::policy {
namespace {

using namespace fixture;
using testing::ElementsAre;
using testing::HasSubstr;

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
  const std::string none = decide(f).key;
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  const std::string pinned = decide(f).key;
  f.host_pins->pins.pop_back();
  const std::string fewer = decide(f).key;
  f.host_pins->stage = pins::Stage::provisional;
  const std::string tested = decide(f).key;
  EXPECT_EQ(std::set<std::string>({none, pinned, fewer, tested}).size(), 4U);
  f = facts();
  f.mx_secure = true;
  EXPECT_NE(decide(f).key, none) << "what is noted of the domain hangs on who vouched for the host";
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

// RFC 7672 2.2 and the table of how the sources combine.
TEST(Decide, DaneByTheEndOfTheLookup) {
  using Kind = dane::HostTlsa::Kind;
  struct Case {
    const char* why;
    dane::HostTlsa tlsa;
    bool tls_required;
    std::optional<Demand> demand;
    bool may_be_tried;
  };
  const Case cases[] = {
      {"not looked for", tlsa(Kind::not_applicable), false, std::nullopt, true},
      {"securely denied", tlsa(Kind::none), false, std::nullopt, true},
      {"usable", tlsa(Kind::records, {kPkixEe, kDaneEe}), true, Demand::dane, true},
      {"all unusable: TLS, unauthenticated", tlsa(Kind::records, {kPkixEe}), true, Demand::tls, true},
      {"the lookup failed: never as if there were none", tlsa(Kind::failure), true, Demand::unmet, false},
  };
  for (const Case& c : cases) {
    Facts f = facts();
    f.tlsa = c.tlsa;
    const Decision d = decide(f);
    EXPECT_EQ(d.tls_required, c.tls_required) << c.why;
    ASSERT_EQ(d.requirements.size(), c.demand ? 1U : 0U) << c.why;
    if (c.demand) {
      EXPECT_EQ(d.requirements[0].demand, *c.demand) << c.why;
    }
    EXPECT_EQ(judge_forbidden(d).usable, c.may_be_tried) << c.why;
  }
  Facts f = facts();
  f.tlsa = tlsa(Kind::failure);
  EXPECT_EQ(judge_forbidden(decide(f)).status, "4.4.3");
}

// RFC 7672 3.2.2, 8.1
TEST(Decide, DaneNamesAndServerName) {
  Facts f = facts();
  EXPECT_EQ(decide(f).server_name, "mx.x.test");
  f.tlsa = {dane::HostTlsa::Kind::records, "real.x.test", {kDaneEe}, ""};
  EXPECT_EQ(decide(f).server_name, "real.x.test");
  EXPECT_THAT(decide(f).requirements[0].names, ElementsAre("real.x.test"))
      << "an unsigned MX answer: the host's name alone";
  f.mx_secure = true;
  EXPECT_THAT(decide(f).requirements[0].names, ElementsAre("real.x.test", "x.test"));
  f.canonical = "y.test";
  EXPECT_THAT(decide(f).requirements[0].names, ElementsAre("real.x.test", "x.test", "y.test"));
}

// RFC 7672 6: DANE that the operator makes mandatory for a destination.
TEST(Decide, ARuleThatDemandsDane) {
  using Kind = dane::HostTlsa::Kind;
  struct Case {
    const char* why;
    bool mx_secure;
    dane::HostTlsa tlsa;
    bool may_be_tried;
  };
  const Case cases[] = {
      {"a secure MX, a usable record", true, tlsa(Kind::records, {kDaneEe}), true},
      {"RFC 7672 2.2.1: an insecure MX", false, tlsa(Kind::records, {kDaneEe}), false},
      {"RFC 7671 10.3: no usable record", true, tlsa(Kind::records, {kPkixEe}), false},
      {"no record", true, tlsa(Kind::none), false},
      {"a lookup that failed", true, tlsa(Kind::failure), false},
  };
  for (const Case& c : cases) {
    Facts f = facts();
    f.mx_secure = c.mx_secure;
    f.tlsa = c.tlsa;
    f.domain_rule = shared(rule(Rule::Subject::domain, "x.test", Level::dane));
    const Decision d = decide(f);
    EXPECT_TRUE(d.tls_required) << c.why;
    const Verdict v = judge_forbidden(d);
    EXPECT_EQ(v.usable, c.may_be_tried) << c.why;
    EXPECT_FALSE(v.permanent) << c.why << ": it waits";
  }
}

// A session with one certificate is never another's.
TEST(Decide, AClientCertificateIsPartOfTheKeyAndTheDomainsGoesFirst) {
  const auto with = [](Rule::Subject subject, const char* pattern, std::optional<ClientCertificate> shown) {
    Rule r = rule(subject, pattern, Level::encrypt);
    r.client_certificate = std::move(shown);
    return shared(std::move(r));
  };
  Facts f = facts();
  f.domain_rule = with(Rule::Subject::domain, "x.test", std::nullopt);
  f.host_rule = with(Rule::Subject::host, "mx.x.test", std::nullopt);
  const Decision none = decide(f);
  EXPECT_FALSE(none.client_certificate);
  f.host_rule = with(Rule::Subject::host, "mx.x.test", ClientCertificate{"host's", "01"});
  const Decision of_host = decide(f);
  EXPECT_EQ(of_host.client_certificate->name, "host's");
  f.host_rule = with(Rule::Subject::host, "mx.x.test", ClientCertificate{"host's", "02"});
  const Decision renewed = decide(f);
  f.domain_rule = with(Rule::Subject::domain, "x.test", ClientCertificate{"domain's", "03"});
  const Decision of_domain = decide(f);
  EXPECT_EQ(of_domain.client_certificate->name, "domain's");
  const std::set<std::string> keys = {none.key, of_host.key, renewed.key, of_domain.key};
  EXPECT_EQ(keys.size(), 4u);
}

// Adding a source never weakens what another demands.
TEST(Decide, DaneAndPinsBothBind) {
  Facts f = facts();
  f.tlsa = tlsa(dane::HostTlsa::Kind::records, {kDaneEe});
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  const Decision d = decide(f);
  EXPECT_EQ(d.summary(), "dane, pkp-host");
  EXPECT_FALSE(judge(d, {{true, ""}, {false, "no"}}, {}).usable);
  EXPECT_FALSE(judge(d, {{false, "no"}, {true, ""}}, {}).usable);
  EXPECT_THAT(judge(d, {{false, "no"}, {true, ""}}, {}).sentence, HasSubstr("TLSA"));
}

// RFC 8689 3: the sender's waiver covers every policy of the recipient.
TEST(Decide, TlsRequiredNoWaivesTheRecipientsPolicies) {
  Facts f = facts();
  f.tlsa = tlsa(dane::HostTlsa::Kind::failure);
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  f.stsec = pins::StsecRecord{"mx.x.test", kNow, kNow + 1h};
  f.wish = Wish::waive;
  const Decision d = decide(f);
  EXPECT_FALSE(d.tls_required);
  EXPECT_TRUE(judge_forbidden(d).usable);
  EXPECT_TRUE(judge_without_tls(d, "no STARTTLS", "192.0.2.1").usable);
  EXPECT_EQ(judge(d, {{false, "a"}, {false, "b"}, {true, ""}}, {}).reports.size(), 2U);
  EXPECT_THAT(d.sentence(), HasSubstr("RFC 8689 3"));
}

// RFC 8689 4.2.1
TEST(Decide, RequireTlsStepByStep) {
  Facts f = facts();
  f.wish = Wish::require;
  const Verdict unvouched = judge_forbidden(decide(f));
  EXPECT_FALSE(unvouched.usable) << "step 2: unsigned MX";
  EXPECT_TRUE(unvouched.permanent);
  EXPECT_EQ(unvouched.status, "5.7.10");

  f.mx_secure = true;
  const Decision d = decide(f);
  ASSERT_EQ(d.requirements.size(), 2U);
  EXPECT_EQ(d.requirements[0].demand, Demand::webpki);
  EXPECT_THAT(d.requirements[0].names, ElementsAre("mx.x.test"));
  const Verdict plain = judge_without_tls(d, "no STARTTLS", "192.0.2.1");
  EXPECT_EQ(plain.status, "5.7.10") << "step 4: no TLS";
  EXPECT_TRUE(plain.permanent);
  const Verdict stranger = judge(d, {{false, "expired"}, {true, ""}}, {});
  EXPECT_EQ(stranger.status, "5.7.10") << "step 4: not authenticated";
  const Verdict lacking = judge(d, {{true, ""}, {false, "not offered"}}, {});
  EXPECT_EQ(lacking.status, "5.7.30") << "step 5";
  EXPECT_TRUE(lacking.permanent);

  f.tlsa = tlsa(dane::HostTlsa::Kind::records, {kDaneEe});
  EXPECT_EQ(decide(f).summary(), "dane, requiretls") << "DANE authenticates, no CA is needed";
  f.bounce = true;
  EXPECT_EQ(decide(f).summary(), "dane") << "section 5: REQUIRETLS holds up no bounce";
}

// What a receiver's policy forbids waits, whatever the sender demands besides.
TEST(Decide, APolicysRefusalIsNeverMadePermanentByRequireTls) {
  Facts f = facts();
  f.wish = Wish::require;
  f.mx_secure = true;
  f.host_pins = set(pins::Scope::host, "mx.x.test");
  const Decision d = decide(f);
  ASSERT_EQ(d.summary(), "pkp-host, requiretls, requiretls");
  for (const Verdict& v : {judge(d, {{false, "no"}, {false, "no"}, {false, "no"}}, {}),
                           judge_without_tls(d, "no STARTTLS", "192.0.2.1")}) {
    EXPECT_FALSE(v.usable);
    EXPECT_FALSE(v.permanent);
    EXPECT_EQ(v.status, "4.7.5");
  }
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

// docs/decisions/0007: what binds the operator's own next hop, in place of an MX host.
TEST(Decide, ARouteIsHeldToItsHostAndToRules) {
  Facts f = facts();
  f.route = "smtp to mx.x.test:587";
  f.tlsa = tlsa(dane::HostTlsa::Kind::records, {kDaneEe});
  f.host_pins = set(pins::Scope::host, f.host);
  f.domain_rule = std::make_shared<const Rule>(rule(Rule::Subject::domain, "x.test", Level::encrypt));
  const Decision d = decide(f);
  EXPECT_EQ(d.mx, MxVouched::route);
  EXPECT_TRUE(d.tls_required);
  ASSERT_EQ(d.requirements.size(), 3U);
  EXPECT_EQ(d.requirements[0].source, Source::dane);
  EXPECT_EQ(d.requirements[0].names, (std::vector<std::string>{"mx.x.test"}))
      << "the host is not the domain's";
  EXPECT_EQ(d.requirements[1].source, Source::pkp_host);
  EXPECT_EQ(d.requirements[2].source, Source::rule);
  Facts other = f;
  other.route = "lmtp to mx.x.test:587";
  EXPECT_NE(d.key, decide(other).key) << "another protocol, another session";
  // RFC 8689 2: LMTP has REQUIRETLS as SMTP has; the operator vouches for the host.
  f.wish = Wish::require;
  EXPECT_TRUE(judge_forbidden(decide(f)).usable);
  EXPECT_EQ(decide(f).requirements.back().demand, Demand::offers_requiretls);
}

TEST(Decide, ASocketOfThisMachineIsHeldToNothing) {
  Facts f = facts();
  f.route = "lmtp to unix:/run/lmtp";
  f.local = true;
  f.wish = Wish::require;
  f.domain_rule = std::make_shared<const Rule>(rule(Rule::Subject::domain, "*", Level::authenticated));
  const Decision d = decide(f);
  EXPECT_TRUE(d.requirements.empty());
  EXPECT_TRUE(d.tls_never);
  EXPECT_FALSE(d.tls_required);
  EXPECT_EQ(d.mx, MxVouched::route);
}

}  // namespace
}  // namespace pinnace::policy
