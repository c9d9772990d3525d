#include "tls/verify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/certificate_fixture.hpp"

namespace pinnace::tls {
namespace {

using namespace testing_certificates;
using Pins = std::vector<pins::Pin>;
using Names = std::vector<std::string>;

const std::string kName = "mx.x.test";
const std::string kSan = "DNS:mx.x.test";

base::Time now() { return base::SystemClock().now(); }

struct Pki {
  Certificate root = make({"Root", "", true});
  Certificate intermediate = make({"Intermediate", "", true}, &root);
  Certificate leaf = make({"leaf", kSan}, &intermediate);
  Certificate other_root = make({"Other root", "", true});
  Certificate self_signed = make({"self", kSan});
};

// pinning-protocol 2: the leaf's key is pinned.
TEST(MatchPins, LeafKeyWhateverNameAndDates) {
  const Pki p;
  const Certificate expired =
      make({"old", "DNS:elsewhere.test", false, -10 * kDay, -5 * kDay}, &p.intermediate);
  const Certificate future = make({"new", "", false, 5 * kDay, 10 * kDay});
  for (const Certificate* c : {&p.leaf, &p.self_signed, &expired, &future}) {
    const PinMatch m = match_pins(chain_of({c}), Pins{c->pin()}, Names{kName}, nullptr, now());
    EXPECT_TRUE(m.ok) << m.reason;
    EXPECT_FALSE(m.by_ca);
    EXPECT_EQ(m.matched, c->pin());
  }
  EXPECT_TRUE(match_pins(chain_of({&p.leaf}), Pins{p.leaf.pin()}, Names{}, nullptr, now()).ok)
      << "no name given";
  EXPECT_TRUE(
      match_pins(chain_of({&p.leaf}), Pins{p.root.pin(), p.leaf.pin()}, Names{kName}, nullptr, now()).ok);
}

// pinning-protocol 2: a CA's key is pinned.
TEST(MatchPins, CaKeyUnderEachCondition) {
  const Pki p;
  const TrustStore roots = roots_of(p.root);
  const TrustStore other = roots_of(p.other_root);
  const Certificate wrong_name = make({"leaf", "DNS:other.test"}, &p.intermediate);
  const Certificate wildcard = make({"leaf", "DNS:*.x.test"}, &p.intermediate);
  const Certificate partial = make({"leaf", "DNS:m*.x.test"}, &p.intermediate);
  const Certificate expired = make({"leaf", kSan, false, -10 * kDay, -5 * kDay}, &p.intermediate);
  const Certificate old_ca = make({"Old CA", "", true, -10 * kDay, -5 * kDay}, &p.root);
  const Certificate under_old = make({"leaf", kSan}, &old_ca);
  const Certificate under_leaf = make({"leaf", kSan}, &p.leaf);
  const Certificate namesake = make({"Intermediate", "", true}, &p.other_root);
  const Certificate forged = make({"leaf", kSan}, &namesake);
  const struct {
    const char* why;
    PeerChain chain;
    Pins pins;
    Names names;
    const TrustStore* roots;
    bool ok;
  } cases[] = {
      {"intermediate in the chain",
       chain_of({&p.leaf, &p.intermediate}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       true},
      {"root sent", chain_of({&p.leaf, &p.intermediate, &p.root}), {p.root.pin()}, {kName}, nullptr, true},
      {"root from the trust store",
       chain_of({&p.leaf, &p.intermediate}),
       {p.root.pin()},
       {kName},
       &roots,
       true},
      {"root neither sent nor trusted",
       chain_of({&p.leaf, &p.intermediate}),
       {p.root.pin()},
       {kName},
       nullptr,
       false},
      {"root not in this trust store",
       chain_of({&p.leaf, &p.intermediate}),
       {p.root.pin()},
       {kName},
       &other,
       false},
      {"intermediate missing", chain_of({&p.leaf}), {p.intermediate.pin()}, {kName}, &roots, false},
      {"trusted, but not pinned",
       chain_of({&p.leaf, &p.intermediate}),
       {p.other_root.pin()},
       {kName},
       &roots,
       false},
      {"pinned CA merely presented",
       chain_of({&p.self_signed, &p.intermediate, &p.root}),
       {p.intermediate.pin(), p.root.pin()},
       {kName},
       &roots,
       false},
      {"signed by a namesake of the pinned CA",
       chain_of({&forged, &p.intermediate, &p.root}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       false},
      {"issuer that is no CA",
       chain_of({&under_leaf, &p.leaf, &p.intermediate}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       false},
      {"wrong name",
       chain_of({&wrong_name, &p.intermediate}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       false},
      {"one of several names",
       chain_of({&wrong_name, &p.intermediate}),
       {p.intermediate.pin()},
       {kName, "other.test"},
       nullptr,
       true},
      {"no name given", chain_of({&p.leaf, &p.intermediate}), {p.intermediate.pin()}, {}, nullptr, false},
      {"wildcard", chain_of({&wildcard, &p.intermediate}), {p.intermediate.pin()}, {kName}, nullptr, true},
      {"wildcard covers one label",
       chain_of({&wildcard, &p.intermediate}),
       {p.intermediate.pin()},
       {"a.mx.x.test"},
       nullptr,
       false},
      {"partial wildcard",
       chain_of({&partial, &p.intermediate}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       false},
      {"expired leaf",
       chain_of({&expired, &p.intermediate}),
       {p.intermediate.pin()},
       {kName},
       nullptr,
       false},
      {"expired CA", chain_of({&under_old, &old_ca}), {old_ca.pin()}, {kName}, nullptr, false},
      {"expired CA below the pinned one",
       chain_of({&under_old, &old_ca, &p.root}),
       {p.root.pin()},
       {kName},
       nullptr,
       false},
      {"no pin", chain_of({&p.leaf, &p.intermediate}), {}, {kName}, &roots, false},
  };
  for (const auto& c : cases) {
    const PinMatch m = match_pins(c.chain, c.pins, c.names, c.roots, now());
    EXPECT_EQ(m.ok, c.ok) << c.why << ": " << m.reason;
    EXPECT_EQ(m.matched.has_value(), c.ok) << c.why;
    EXPECT_FALSE(m.reason.empty()) << c.why;
    if (c.ok) {
      EXPECT_TRUE(m.by_ca) << c.why;
      EXPECT_EQ(m.matched, c.pins.front()) << c.why;
    }
  }
  EXPECT_FALSE(match_pins(PeerChain(), Pins{p.leaf.pin()}, Names{kName}, nullptr, now()).ok);
}

base::Time in_days(long days) { return now() + std::chrono::days(days); }

// The certificates are made at the second that is now.
void expect_near(base::Time at, base::Time expected) {
  EXPECT_LT(std::chrono::abs(at - expected), std::chrono::minutes(1)) << base::format_time(at);
}

TEST(MatchPins, TheCaThatMatchedIsTold) {
  const Pki p;
  const Certificate brief = make({"Brief", "", true, -kDay, 3 * kDay}, &p.intermediate);
  const Certificate leaf = make({"leaf", kSan}, &brief);
  const PeerChain chain = chain_of({&leaf, &brief, &p.intermediate, &p.root});
  const TrustStore roots = roots_of(p.root);
  const struct {
    const char* why;
    PeerChain chain;
    const Certificate* pinned;
    int depth;
    long days;
  } cases[] = {
      {"the one below", chain, &brief, 1, 3},
      {"one above: what lies between counts", chain, &p.intermediate, 2, 3},
      {"a root that is sent", chain, &p.root, 3, 3},
      {"a root that is not", chain_of({&p.leaf, &p.intermediate}), &p.root, 2, 100},
  };
  for (const auto& c : cases) {
    const PinMatch m = match_pins(c.chain, Pins{c.pinned->pin()}, Names{kName}, &roots, now());
    ASSERT_TRUE(m.ok && m.authority) << c.why << ": " << m.reason;
    EXPECT_EQ(m.authority->pem, c.pinned->pem()) << c.why;
    EXPECT_EQ(m.authority->depth, c.depth) << c.why;
    expect_near(m.authority->until, in_days(c.days));
  }
  EXPECT_FALSE(match_pins(chain, Pins{leaf.pin()}, Names{kName}, &roots, now()).authority);
  const auto spki = [](const Certificate& c) {
    const pins::Pin pin = c.pin();
    return std::string(reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size());
  };
  const dane::Tlsa anchor{dane::kDaneTa, dane::kSpki, dane::kSha256, spki(p.intermediate), true};
  const TlsaMatch by_ca = match_tlsa(chain, {anchor}, Names{kName}, now());
  ASSERT_TRUE(by_ca.ok && by_ca.authority) << by_ca.reason;
  EXPECT_EQ(by_ca.authority->pem, p.intermediate.pem());
  const dane::Tlsa own{dane::kDaneEe, dane::kSpki, dane::kSha256, spki(leaf), true};
  EXPECT_FALSE(match_tlsa(chain, {own}, Names{kName}, now()).authority);
}

TEST(WebPki, HoldsUntilTheFirstOfItsCertificatesEnds) {
  const Pki p;
  const TrustStore roots = roots_of(p.root);
  const Certificate brief = make({"Brief", "", true, -kDay, 3 * kDay}, &p.root);
  const Certificate leaf = make({"leaf", kSan}, &brief);
  // What is sent beside the way to the root does not count.
  const Certificate stray = make({"Stray", "", true, -10 * kDay, -5 * kDay});
  const Vouched v = vouched(chain_of({&leaf, &brief, &stray}), kName, roots, now());
  EXPECT_EQ(v.problem, "");
  expect_near(v.until, in_days(3));
  EXPECT_NE(vouched(chain_of({&leaf}), kName, roots, now()).problem, "");
}

TEST(MatchPins, DatesAreThoseOfTheTimeGiven) {
  const Pki p;
  const PeerChain chain = chain_of({&p.leaf, &p.intermediate});
  EXPECT_FALSE(
      match_pins(chain, Pins{p.intermediate.pin()}, Names{kName}, nullptr, now() + std::chrono::days(101))
          .ok);
  EXPECT_FALSE(
      match_pins(chain, Pins{p.intermediate.pin()}, Names{kName}, nullptr, now() - std::chrono::days(2)).ok);
}

TEST(MatchingPins, EachOnItsOwn) {
  const Pki p;
  const PeerChain chain = chain_of({&p.leaf, &p.intermediate});
  const Pins all = {p.leaf.pin(), p.intermediate.pin(), p.root.pin(), p.other_root.pin()};
  const TrustStore roots = roots_of(p.root);
  EXPECT_EQ(matching_pins(chain, all, Names{kName}, &roots, now()), (Pins{all[0], all[1], all[2]}));
  EXPECT_EQ(matching_pins(chain, all, Names{"other.test"}, &roots, now()), Pins{all[0]});
}

TEST(WebPki, ChainNameAndDates) {
  const Pki p;
  const TrustStore roots = roots_of(p.root);
  const Certificate common_name_only = make({kName, ""}, &p.intermediate);
  const PeerChain good = chain_of({&p.leaf, &p.intermediate});
  EXPECT_EQ(webpki_problem(good, kName, roots, now()), "");
  EXPECT_NE(webpki_problem(good, "other.test", roots, now()), "");
  EXPECT_NE(webpki_problem(good, kName, roots_of(p.other_root), now()), "");
  EXPECT_NE(webpki_problem(good, kName, roots, now() + std::chrono::days(101)), "");
  EXPECT_NE(webpki_problem(chain_of({&p.self_signed}), kName, roots, now()), "");
  EXPECT_NE(webpki_problem(chain_of({&common_name_only, &p.intermediate}), kName, roots, now()), "")
      << "SAN only";
  EXPECT_NE(webpki_problem(PeerChain(), kName, roots, now()), "");
}

TEST(PeerChain, DescribesTheLeafAndRefusesGarbage) {
  const Pki p;
  const PeerChain chain = chain_of({&p.leaf, &p.intermediate});
  EXPECT_EQ(chain.pins(), (Pins{p.leaf.pin(), p.intermediate.pin()}));
  EXPECT_EQ(chain.subject(), "CN=leaf");
  EXPECT_EQ(chain.issuer(), "CN=Intermediate");
  EXPECT_THAT(chain.dns_names(), testing::ElementsAre(kName));
  EXPECT_FALSE(PeerChain::from_pem("garbage"));
  EXPECT_FALSE(TrustStore::from_pem(""));
  EXPECT_THAT(TrustStore::load("/nonexistent/ca.pem").error().detail,
              testing::HasSubstr("/nonexistent/ca.pem"));
}

}  // namespace
}  // namespace pinnace::tls
