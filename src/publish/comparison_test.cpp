#include "publish/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace pinnace::publish {
namespace {

using testing::HasSubstr;

names::Domain name(std::string_view text) { return *names::Domain::parse(text); }

Key key(std::uint8_t octet) {
  Key out;
  out.pin.sha256.fill(octet);
  return out;
}

dane::Tlsa tlsa(char octet, std::uint8_t usage = 3, std::uint8_t matching = 1) {
  return {usage, 1, matching, std::string(matching == 2 ? 64 : 32, octet)};
}

const base::Time kNow = *base::parse_time("2026-11-24T10:00:00Z");
const Moment kMoment{kNow, std::chrono::hours(1)};

Host host() { return {name("mx.example.org"), {key(1)}, {key(2)}}; }

ServedHost served_host(std::vector<dane::Tlsa> records, bool secure = true) {
  ServedHost out{name("mx.example.org"), "", secure, {}};
  out.tlsa.push_back({"", secure, std::move(records), std::chrono::minutes(5)});
  return out;
}

const Finding* find(const std::vector<Finding>& all, Finding::About about, std::string_view text) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Finding& f) {
    return f.about == about && f.text.find(text) != std::string::npos;
  });
  return found == all.end() ? nullptr : &*found;
}

Weight worst(const std::vector<Finding>& all) {
  Weight out = Weight::good;
  for (const Finding& f : all) out = std::max(out, f.weight);
  return out;
}

// Where it is good nothing is to be done; else something is.
void expect_remedies(const std::vector<Finding>& all) {
  for (const Finding& f : all) EXPECT_EQ(f.remedy.empty(), f.weight == Weight::good) << f.owner << f.text;
}

TEST(Comparison, TlsaRecords) {
  const std::string one = "3 1 1 0101", two = "3 1 1 0202", nine = "3 1 1 0909";
  const struct {
    const char* why;
    std::vector<dane::Tlsa> records;
    bool secure;
    std::string text;
    State state;
    Weight weight, all;
  } cases[] = {
      {"as it should be", {tlsa(1), tlsa(2)}, true, two, State::ok, Weight::good, Weight::good},
      {"RFC 7671 8.1: the next key first",
       {tlsa(1)},
       true,
       two,
       State::missing,
       Weight::warning,
       Weight::warning},
      {"RFC 7672 2.2: none matches", {tlsa(9)}, true, one, State::missing, Weight::held, Weight::held},
      {"a former key",
       {tlsa(1), tlsa(2), tlsa(9)},
       true,
       nine,
       State::extra,
       Weight::warning,
       Weight::warning},
      {"only the next one", {tlsa(2)}, true, one, State::missing, Weight::held, Weight::held},
      {"no record", {}, true, one, State::missing, Weight::warning, Weight::warning},
      {"RFC 7672 3.1.3",
       {tlsa(1), tlsa(2), tlsa(3, 1)},
       true,
       "3.1.3",
       State::extra,
       Weight::note,
       Weight::note},
      {"unusable ones bind nobody",
       {tlsa(3, 1)},
       true,
       one,
       State::missing,
       Weight::warning,
       Weight::warning},
      {"RFC 7671 9",
       {tlsa(1), tlsa(2), tlsa(4, 3, 2)},
       true,
       "3 1 2",
       State::extra,
       Weight::warning,
       Weight::warning},
      {"a CA's",
       {tlsa(1), tlsa(2), tlsa(4, 2)},
       true,
       "2 1 1",
       State::extra,
       Weight::warning,
       Weight::warning},
      {"not signed: nobody is held to it",
       {tlsa(9)},
       false,
       one,
       State::missing,
       Weight::note,
       Weight::warning},
      {"not signed, and none there", {}, false, one, State::missing, Weight::note, Weight::note},
  };
  for (const auto& c : cases) {
    const auto all = compare(host(), served_host(c.records, c.secure), kMoment);
    const Finding* found = find(all, Finding::About::tlsa, c.text);
    ASSERT_TRUE(found) << c.why;
    EXPECT_EQ(found->state, c.state) << c.why;
    EXPECT_EQ(found->weight, c.weight) << c.why;
    EXPECT_EQ(worst(all), c.all) << c.why;
    expect_remedies(all);
    const Finding* dnssec = find(all, Finding::About::dnssec, c.secure ? "signed" : "worth nothing");
    ASSERT_TRUE(dnssec) << c.why;
    EXPECT_EQ(dnssec->state == State::ok, c.secure) << c.why;
  }
}

// RFC 7671 8.1: two TTLs, the longer of the one served and the one to be published.
TEST(Comparison, WhenKeysMayChange) {
  auto missing = compare(host(), served_host({tlsa(1)}), kMoment);
  EXPECT_EQ(find(missing, Finding::About::tlsa, "0202")->after, kNow + std::chrono::hours(2));
  ServedHost slow = served_host({tlsa(1)});
  slow.tlsa[0].ttl = std::chrono::hours(24);
  missing = compare(host(), slow, kMoment);
  EXPECT_EQ(find(missing, Finding::About::tlsa, "0202")->after, kNow + std::chrono::hours(48));
  EXPECT_THAT(find(missing, Finding::About::tlsa, "0202")->remedy, HasSubstr("2026-11-26T10:00:00Z"));

  Host known = host();
  known.backups[0].published = kNow - std::chrono::minutes(30);
  const auto there = compare(known, served_host({tlsa(1), tlsa(2)}), kMoment);
  EXPECT_EQ(find(there, Finding::About::tlsa, "0202")->after, kNow + std::chrono::minutes(90));

  // What is no longer ours goes once the live key's record is everywhere.
  const auto swapped = compare(host(), served_host({tlsa(9)}), kMoment);
  EXPECT_EQ(find(swapped, Finding::About::tlsa, "0909")->after, kNow + std::chrono::hours(2));
  const auto settled = compare(host(), served_host({tlsa(1), tlsa(9)}), kMoment);
  EXPECT_EQ(find(settled, Finding::About::tlsa, "0909")->after, std::nullopt);
}

TEST(Comparison, EachLiveKeyAndEachPortNeedsItsRecord) {
  Host both = host();
  both.live = {key(1), key(3)};
  both.ports = {25, 465};
  ServedHost served = served_host({tlsa(1), tlsa(2)});
  served.tlsa.push_back({"", true, {tlsa(1), tlsa(2), tlsa(3)}, base::Seconds(60)});
  const auto all = compare(both, served, kMoment);
  const Finding* missing = find(all, Finding::About::tlsa, "0303");
  EXPECT_EQ(missing->owner, "_25._tcp.mx.example.org");
  EXPECT_EQ(missing->weight, Weight::held);
  EXPECT_EQ(std::ranges::count(all, State::ok, &Finding::state), 6);
}

// RFC 7672 2.1.2: what cannot be had is never "none".
TEST(Comparison, AFailedLookupHoldsMail) {
  ServedHost failed = served_host({});
  failed.tlsa[0].failure = "bogus";
  EXPECT_EQ(worst(compare(host(), failed, kMoment)), Weight::held);
  failed = served_host({});
  failed.failure = "SERVFAIL";
  EXPECT_EQ(worst(compare(host(), failed, kMoment)), Weight::held);
}

class DomainComparison : public testing::Test {
 protected:
  DomainComparison() {
    settings_.hosts = {host()};
    Domain domain{name("example.org"), {name("mx.example.org")}, sts::Mode::enforce};
    domain.tlsrpt = {"mailto:tls@example.org"};
    settings_.domains = {domain};
    serve();
  }
  // All as it should be.
  void serve() {
    const auto policy = policy_of(settings_, domain());
    served_.mx.records = {"mx.example.org"};
    served_.sts.records = {sts_record(domain(), policy->id).text};
    served_.tlsrpt.records = {tlsrpt_record(domain()).text};
    served_.policy = policy->policy;
  }
  Domain& domain() { return settings_.domains[0]; }
  std::vector<Finding> compared() {
    auto out = compare(settings_, domain(), served_);
    expect_remedies(out);
    return out;
  }
  void expect(const char* why, Finding::About about, State state, Weight weight) {
    const auto all = compared();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Finding& f) { return f.about == about && f.state == state; });
    ASSERT_NE(found, all.end()) << why;
    EXPECT_EQ(found->weight, weight) << why << ": " << found->text;
  }

  Settings settings_;
  ServedDomain served_{name("example.org"), {}, {}, {}, {}, {}};
};

TEST_F(DomainComparison, AllIsWell) {
  const auto all = compared();
  EXPECT_EQ(worst(all), Weight::good);
  EXPECT_EQ(all.size(), 4U);
}

TEST_F(DomainComparison, WhatIsWrongAndHowMuch) {
  using About = Finding::About;
  const struct {
    const char* why;
    std::function<void(ServedDomain&, Domain&)> change;
    About about;
    State state;
    Weight weight;
  } cases[] = {
      {"no record", [](auto& s, auto&) { s.sts.records.clear(); }, About::sts, State::missing,
       Weight::warning},
      {"another id", [](auto& s, auto&) { s.sts.records = {"v=STSv1; id=1;"}; }, About::sts, State::stale,
       Weight::warning},
      {"RFC 8461 3.1: two", [](auto& s, auto&) { s.sts.records.push_back("v=STSv1; id=1;"); }, About::sts,
       State::stale, Weight::warning},
      {"others' records at the name", [](auto& s, auto&) { s.sts.records.push_back("x"); }, About::sts,
       State::ok, Weight::good},
      {"not looked up", [](auto& s, auto&) { s.sts.failure = "bogus"; }, About::sts, State::unknown,
       Weight::warning},
      {"not wanted", [](auto&, auto& d) { d.sts.reset(); }, About::sts, State::extra, Weight::warning},
      {"no policy", [](auto& s, auto&) { s.policy.reset(); }, About::policy, State::missing, Weight::warning},
      {"testing still", [](auto& s, auto&) { s.policy->mode = sts::Mode::testing; }, About::policy,
       State::stale, Weight::warning},
      {"RFC 8461 4.1: the host is not listed",
       [](auto& s, auto&) { s.policy->mx = {*names::MxPattern::parse("old.example.org")}; }, About::policy,
       State::stale, Weight::held},
      {"not listed, but not enforced",
       [](auto& s, auto&) {
         s.policy->mx = {*names::MxPattern::parse("old.example.org")};
         s.policy->mode = sts::Mode::testing;
       },
       About::policy, State::stale, Weight::warning},
      {"one of two is listed",
       [](auto& s, auto& d) {
         s.mx.records.push_back("b.example.org");
         d.mx.push_back(name("b.example.org"));
       },
       About::policy, State::stale, Weight::warning},
      {"pinning-protocol 4.3: others' pins", [](auto& s, auto&) { s.policy->pins = {key(9).pin}; },
       About::policy, State::stale, Weight::held},
      {"the live pin and another", [](auto& s, auto&) { s.policy->pins = {key(9).pin, key(1).pin}; },
       About::policy, State::stale, Weight::warning},
      {"RFC 8461 8.3", [](auto&, auto& d) { d.sts.reset(); }, About::policy, State::extra, Weight::note},
      {"no reports", [](auto& s, auto&) { s.tlsrpt.records.clear(); }, About::tlsrpt, State::missing,
       Weight::warning},
      {"reports elsewhere", [](auto& s, auto&) { s.tlsrpt.records = {"v=TLSRPTv1; rua=mailto:a@b.c"}; },
       About::tlsrpt, State::stale, Weight::warning},
      {"reports not wanted", [](auto&, auto& d) { d.tlsrpt.clear(); }, About::tlsrpt, State::extra,
       Weight::warning},
      {"no mail comes here", [](auto& s, auto&) { s.mx.records = {"b.example.org"}; }, About::mx,
       State::missing, Weight::warning},
      {"and goes elsewhere", [](auto& s, auto&) { s.mx.records = {"b.example.org"}; }, About::mx,
       State::extra, Weight::warning},
      {"MX not to be had", [](auto& s, auto&) { s.mx.failure = "bogus"; }, About::mx, State::unknown,
       Weight::held},
  };
  const ServedDomain good = served_;
  const Domain meant = domain();
  for (const auto& c : cases) {
    served_ = good;
    domain() = meant;
    c.change(served_, domain());
    expect(c.why, c.about, c.state, c.weight);
  }
}

}  // namespace
}  // namespace pinnace::publish
