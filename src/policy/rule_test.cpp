#include <gtest/gtest.h>

#include "policy/facts_fixture.hpp"

namespace pinnace::policy {
namespace {

using namespace fixture;

TEST(NamePattern, MatchesItselfOrEveryNameBelow) {
  const struct {
    const char* pattern;
    const char* name;
    bool matches;
  } cases[] = {
      {"example.org", "example.org", true},       {"Example.ORG.", "example.org", true},
      {"example.org", "mx.example.org", false},   {"*.example.org", "example.org", false},
      {"*.example.org", "mx.example.org", true},  {"*.example.org", "a.b.example.org", true},
      {"*.example.org", "notexample.org", false}, {"*", "anything.test", true},
  };
  for (const auto& c : cases) {
    const auto pattern = NamePattern::parse(c.pattern);
    ASSERT_TRUE(pattern) << c.pattern;
    EXPECT_EQ(pattern->matches(c.name), c.matches) << c.pattern << ' ' << c.name;
  }
  for (const char* bad : {"", "*.", "**", "*.*.org", "a*.example.org", "ex ample.org", "[192.0.2.1]"}) {
    EXPECT_FALSE(NamePattern::parse(bad)) << bad;
  }
}

TEST(RuleBook, TheMostSpecificOfEachSubjectBinds) {
  const auto book = RuleBook::make({
      rule(Rule::Subject::domain, "*", Level::encrypt),
      rule(Rule::Subject::domain, "*.org", Level::may),
      rule(Rule::Subject::domain, "*.example.org", Level::dane),
      rule(Rule::Subject::domain, "example.org", Level::webpki),
      rule(Rule::Subject::host, "*.example.org", Level::authenticated),
  });
  ASSERT_TRUE(book) << book.error().detail;
  EXPECT_EQ(book->for_domain("example.org")->level, Level::webpki);
  EXPECT_EQ(book->for_domain("a.example.org")->level, Level::dane);
  EXPECT_EQ(book->for_domain("other.org")->level, Level::may);
  EXPECT_EQ(book->for_domain("example.net")->level, Level::encrypt);
  EXPECT_EQ(book->for_host("mx.example.org")->level, Level::authenticated);
  EXPECT_EQ(book->for_host("mx.example.net"), nullptr);
  EXPECT_EQ(book->rules().front()->pattern.str(), "example.org") << "listed most specific first";
}

// Else a limit for one domain would set the demand of all domains aside.
TEST(RuleBook, ARuleWithOnlyLimitsTakesNoOthersPlace) {
  Rule limited = rule(Rule::Subject::domain, "example.org");
  limited.rate = Rate{100, 60s};
  const auto book = RuleBook::make({rule(Rule::Subject::domain, "*", Level::encrypt), limited});
  ASSERT_TRUE(book);
  EXPECT_FALSE(limited.binds());
  EXPECT_EQ(book->for_domain("example.org")->level, Level::encrypt);
  limited.level = Level::may;
  const auto said = RuleBook::make({rule(Rule::Subject::domain, "*", Level::encrypt), limited});
  EXPECT_EQ(said->for_domain("example.org")->level, Level::may);
}

TEST(RuleBook, OfTheRulesThatNameALimitTheMostSpecificCountsForEachByItself) {
  Rule all = rule(Rule::Subject::domain, "*");
  all.rate = Rate{10, 1s};
  all.concurrency = 20;
  Rule some = rule(Rule::Subject::domain, "*.example.org", Level::encrypt);
  some.concurrency = 2;
  Rule one = rule(Rule::Subject::domain, "mail.example.org");
  one.rate = Rate{100, 60s};
  const auto book = RuleBook::make({all, some, one, rule(Rule::Subject::domain, "x.test", Level::dane)});
  ASSERT_TRUE(book);
  const auto limits = [&](const char* domain) {
    return book->limit_of(Rule::Subject::domain, domain).sentences();
  };
  EXPECT_EQ(
      limits("mail.example.org"),
      (std::vector<std::string>{"the rate of the rule for domain mail.example.org: 100/min",
                                "the concurrency of the rule for domain *.example.org: 2 connections"}));
  EXPECT_EQ(limits("x.test"),
            (std::vector<std::string>{"the rate of the rule for domain *: 10/s",
                                      "the concurrency of the rule for domain *: 20 connections"}))
      << "a rule that names none leaves the wider one's";
  EXPECT_FALSE(book->limit_of(Rule::Subject::host, "mail.example.org").any());
}

TEST(RuleBook, TwoRulesForOneNameAreAnError) {
  const auto book = RuleBook::make(
      {rule(Rule::Subject::domain, "example.org"), rule(Rule::Subject::domain, "EXAMPLE.org")});
  ASSERT_FALSE(book);
  EXPECT_NE(book.error().detail.find("domain example.org"), std::string::npos);
  EXPECT_TRUE(
      RuleBook::make({rule(Rule::Subject::domain, "example.org"), rule(Rule::Subject::host, "example.org")}));
}

TEST(Waiver, HoldsForItsSourcesUntilItsEnd) {
  const Waiver waiver{{Waivable::sts}, "their certificate ran out", kNow + 1h};
  EXPECT_TRUE(waiver.covers(Waivable::sts, kNow));
  EXPECT_FALSE(waiver.covers(Waivable::dane, kNow));
  EXPECT_FALSE(waiver.covers(Waivable::sts, kNow + 1h));
}

TEST(Protocol, ReachesTheLeast) {
  EXPECT_TRUE(reaches("TLSv1.3", Protocol::tls12));
  EXPECT_TRUE(reaches("TLSv1.2", Protocol::tls12));
  EXPECT_FALSE(reaches("TLSv1.2", Protocol::tls13));
  EXPECT_FALSE(reaches("TLSv1.1", Protocol::tls12));
  EXPECT_FALSE(reaches("", Protocol::tls12));
}

}  // namespace
}  // namespace pinnace::policy
