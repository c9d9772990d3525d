// With what a chain can be held to a decision by a program that connects by itself.
#include "delivery/chain_seen.hpp"

#include <gtest/gtest.h>

#include "tls/certificate_fixture.hpp"

namespace pinnace::delivery {
namespace {

using namespace tls::testing_certificates;
using policy::Demand;
using policy::Requirement;

const std::string kHost = "mx.x.test";

std::string octets(const pins::Pin& pin) {
  return {reinterpret_cast<const char*>(pin.sha256.data()), pin.sha256.size()};
}

Requirement pinned(const Certificate& key, bool enforced = true) {
  Requirement r;
  r.source = policy::Source::pkp_host;
  r.demand = Demand::pins;
  r.enforced = enforced;
  r.pins = {key.pin()};
  r.names = {kHost};
  return r;
}

Requirement tlsa(std::uint8_t usage, const Certificate& key) {
  Requirement r;
  r.source = policy::Source::dane;
  r.demand = Demand::dane;
  r.tlsa = {{usage, dane::kSpki, dane::kSha256, octets(key.pin()), true}};
  r.names = {kHost};
  return r;
}

Requirement of(Demand demand) {
  Requirement r;
  r.demand = demand;
  r.names = {kHost};
  r.protocol = policy::Protocol::tls13;
  return r;
}

class ChainSeenTest : public testing::Test {
 protected:
  std::optional<ChainSeen> seen(std::vector<Requirement> requirements,
                                const std::string& version = "TLSv1.3") {
    policy::Decision decision;
    decision.requirements = std::move(requirements);
    return satisfying(decision, chain, version, roots, now);
  }

  base::Time now = base::SystemClock().now();
  Certificate root = make({"Root", "", true});
  Certificate upper = make({"Upper", "", true, -kDay, 20 * kDay}, &root);
  Certificate lower = make({"Lower", "", true, -kDay, 9 * kDay}, &upper);
  Certificate leaf = make({"leaf", "DNS:" + kHost}, &lower);
  Certificate stranger = make({"stranger", ""});
  tls::PeerChain chain = chain_of({&leaf, &lower, &upper});
  tls::TrustStore roots = roots_of(root);
};

TEST_F(ChainSeenTest, TheAnchorIsTheCaThatSpeaksForAll) {
  const struct {
    const char* why;
    std::vector<Requirement> requirements;
    bool satisfied;
    const Certificate* anchor;
    long days;
  } cases[] = {
      {"nothing is demanded", {}, true, nullptr, 60},
      {"TLS alone", {of(Demand::tls)}, true, nullptr, 60},
      {"the leaf's own key: no dates count", {pinned(leaf)}, true, nullptr, 60},
      {"the CA that signed it", {pinned(lower)}, true, &lower, 9},
      {"one above", {pinned(upper)}, true, &upper, 9},
      {"another's key", {pinned(stranger)}, false, nullptr, 0},
      {"another's key, tested alone", {pinned(stranger, false)}, true, nullptr, 60},
      {"one of two does not match", {pinned(lower), pinned(stranger)}, false, nullptr, 0},
      {"TLSA of a CA", {tlsa(dane::kDaneTa, upper)}, true, &upper, 9},
      {"a pin and a TLSA record of one CA", {pinned(upper), tlsa(dane::kDaneTa, upper)}, true, &upper, 9},
      {"the CA that signed the leaf stands under the other", {pinned(upper), pinned(lower)}, true, &lower, 9},
      {"two CAs above that one: it need not be so", {pinned(upper), pinned(root)}, true, nullptr, 9},
      {"the leaf's key for one, a CA's for the other",
       {pinned(lower), tlsa(dane::kDaneEe, leaf)},
       true,
       nullptr,
       9},
      {"the WebPKI beside it asks for dates", {pinned(leaf), of(Demand::webpki)}, true, nullptr, 9},
      {"TLS 1.3", {of(Demand::protocol)}, true, nullptr, 60},
      {"what a message asks for is not known", {of(Demand::offers_requiretls)}, false, nullptr, 0},
      {"what nothing meets", {of(Demand::unmet)}, false, nullptr, 0},
  };
  for (const auto& c : cases) {
    const auto found = seen(c.requirements);
    ASSERT_EQ(found.has_value(), c.satisfied) << c.why;
    if (!found) continue;
    EXPECT_EQ(found->anchor.value_or("none"), c.anchor ? c.anchor->pem() : "none") << c.why;
    EXPECT_EQ(found->key_sha256, octets(leaf.pin())) << c.why;
    EXPECT_EQ(found->certificate_sha256, chain.certificate_sha256()) << c.why;
    EXPECT_LT(std::chrono::abs(found->until - (now + std::chrono::days(c.days))), std::chrono::minutes(1))
        << c.why << ": " << base::format_time(found->until);
  }
  EXPECT_EQ(chain.certificate_sha256().size(), 32U);
  EXPECT_FALSE(seen({of(Demand::protocol)}, "TLSv1.2"));
  roots = roots_of(make({"Other", "", true}));
  EXPECT_FALSE(seen({of(Demand::webpki)}));
  chain = {};
  EXPECT_FALSE(seen({}));
}

}  // namespace
}  // namespace pinnace::delivery
