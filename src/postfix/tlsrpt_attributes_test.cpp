#include "postfix/tlsrpt_attributes.hpp"

#include <gmock/gmock.h>

#include "policy/facts_fixture.hpp"
#include "postfix/policy_entry_fixture.hpp"

namespace pinnace::postfix {
namespace {

using namespace policy::fixture;
using fixture::Attributes;
using fixture::attributes_of;
using testing::ElementsAre;
using testing::Pair;

std::vector<std::string> policy_strings(const std::string& body) {
  sts::Cached policy = sts_policy("enforce", "mx.x.test");
  policy.body = body;
  const auto told = attributes_of(tlsrpt_attributes(policy, kNow));
  EXPECT_TRUE(told) << body;
  std::vector<std::string> out;
  for (const auto& [name, value] : told.value_or(Attributes())) {
    if (name == "policy_string") out.push_back(value);
  }
  return out;
}

TEST(TlsrptAttributes, SayThePolicy) {
  const sts::Cached policy = sts_policy("enforce", "mx.x.test\r\nmx: *.y.test");
  EXPECT_THAT(*attributes_of(tlsrpt_attributes(policy, kNow)),
              ElementsAre(Pair("policy_type", "sts"), Pair("policy_domain", "x.test"),
                          Pair("policy_ttl", "300"), Pair("mx_host_pattern", "mx.x.test"),
                          Pair("mx_host_pattern", "*.y.test"), Pair("policy_string", "version: STSv1"),
                          Pair("policy_string", "mode: enforce"), Pair("policy_string", "mx: mx.x.test"),
                          Pair("policy_string", "mx: *.y.test"), Pair("policy_string", "max_age: 86400")));
}

// Of a host that matches no mx_host_pattern Postfix 3.10 reports nothing: it does not connect to it.
TEST(TlsrptAttributes, OfAFailureNameNoPatterns) {
  EXPECT_THAT(
      *attributes_of(tlsrpt_attributes(sts_policy("enforce", "mx.x.test"), kNow, "validation-failure")),
      ElementsAre(Pair("policy_type", "sts"), Pair("policy_domain", "x.test"), Pair("policy_ttl", "300"),
                  Pair("policy_failure", "validation-failure"), Pair("policy_string", "version: STSv1"),
                  Pair("policy_string", "mode: enforce"), Pair("policy_string", "mx: mx.x.test"),
                  Pair("policy_string", "max_age: 86400")));
}

TEST(TlsrptAttributes, LiveNoLongerThanThePolicy) {
  const sts::Cached policy = sts_policy("enforce", "mx.x.test");
  EXPECT_EQ(attributes_of(tlsrpt_attributes(policy, policy.expires() - 42s))->at(2).second, "42");
  EXPECT_EQ(tlsrpt_attributes(policy, policy.expires()), "");
}

// What a hostile policy has in a line stays in that line's value, or is left out.
TEST(TlsrptAttributes, TakeNothingFromAHostilePolicy) {
  struct Case {
    std::string body;
    std::vector<std::string> told;
  };
  const std::vector<Case> cases = {
      {"a: } match=hostname {", {}},
      {"a: {", {}},
      {"a: }", {}},
      {"a: b\rc: match=hostname", {}},
      {std::string("a: b\0c", 6), {}},
      {"a: \x1b[2J", {}},
      {"a: \xc3\xa4", {}},
      {"a: b, match=hostname policy_failure=x", {"a: b, match=hostname policy_failure=x"}},
      {"=: = a=b", {"=: = a=b"}},
      {" \t\r\n\n \n", {}},
      {"a: b\nc: {\nd: e", {"a: b", "d: e"}},
  };
  for (const Case& c : cases) EXPECT_EQ(policy_strings(c.body), c.told) << c.body;
}

TEST(TlsrptAttributes, AreBounded) {
  std::string body;
  for (int i = 0; i < 5'000; ++i) body += "note: " + std::to_string(i) + "\n";
  sts::Cached policy = sts_policy("enforce", "mx.x.test");
  policy.body = body;
  EXPECT_LE(tlsrpt_attributes(policy, kNow).size(), 16'384u);
  // All patterns or nothing: newer ones of Postfix hold the MX hosts to them.
  for (int i = 0; i < 1'000; ++i)
    policy.policy.mx.push_back(*names::MxPattern::parse("mx" + std::to_string(i) + ".x.test"));
  EXPECT_EQ(tlsrpt_attributes(policy, kNow), "");
}

}  // namespace
}  // namespace pinnace::postfix
