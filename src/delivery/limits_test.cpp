#include "delivery/limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using policy::Rate;
using policy::Rule;
using testing::ElementsAre;

const base::Time kStart = base::Time(base::Seconds(1'700'000'000));

Rule limit(Rule::Subject subject, const char* pattern, std::optional<Rate> rate,
           std::optional<std::uint32_t> concurrency = std::nullopt) {
  Rule out(subject, policy::NamePattern::parse(pattern).value());
  out.rate = rate;
  out.concurrency = concurrency;
  return out;
}

// Never more than the burst and what has come since, in any window; and no less than the rate where enough
// asks for it.
TEST(TokenBucket, InNoWindowMoreThanTheBurstAndTheRate) {
  std::mt19937 random(1);
  for (const Rate rate :
       {Rate{1, 3600s}, Rate{100, 60s}, Rate{3, 1s}, Rate{1000, 1s}, Rate{1'000'000, 3600s}}) {
    const double each = static_cast<double>(rate.messages) / static_cast<double>(rate.per.count());
    const double burst = std::max(1.0, each);
    TokenBucket bucket(rate, kStart);
    base::Time now = kStart;
    std::vector<base::Time> taken;
    while (taken.size() < 3000) {
      const int tries = static_cast<int>(random() % 5);
      for (int i = 0; i < tries; ++i) {
        if (bucket.take(now)) taken.push_back(now);
      }
      now = random() % 3 == 0 ? bucket.next(now) : now + base::Milliseconds(random() % 1000);
    }
    for (std::size_t from = 0; from < taken.size(); from += 1 + random() % 7) {
      for (std::size_t to = from; to < std::min(taken.size(), from + 1500); ++to) {
        const auto window = static_cast<double>((taken[to] - taken[from]).count()) / 1000;
        ASSERT_LE(static_cast<double>(to - from + 1), burst + window * each + 1e-6)
            << rate.str() << " in " << window << " s";
      }
    }
  }
}

TEST(TokenBucket, AClockThatIsSetBackCostsNothing) {
  TokenBucket bucket({1, 60s}, kStart);
  EXPECT_TRUE(bucket.take(kStart));
  const base::Time back = kStart - 5h;
  EXPECT_FALSE(bucket.take(back));
  EXPECT_EQ(bucket.next(back), back + 60s);
  EXPECT_FALSE(bucket.take(back + 59s));
  EXPECT_TRUE(bucket.take(back + 60s));
}

// Destinations and their waiting mail, worked on as a deliverer does, with connections that are made at once.
struct World {
  base::ManualClock clock{kStart};
  int changes = 0;
  Limits limits{clock, [this] { ++changes; }};
  std::map<std::string, Limits::Way> ways;
  std::map<std::string, int> due;
  std::vector<std::pair<std::string, base::Time>> sent;
  std::size_t asked = 0;

  void rules(std::vector<Rule> all) {
    limits.set_rules(
        std::make_shared<const policy::RuleBook>(policy::RuleBook::make(std::move(all)).value()));
  }
  void mail(const std::string& domain, const std::string& host, int messages, const std::string& wish = "") {
    const std::string destination = domain + wish;
    ways[destination] = {destination, domain, host};
    due[destination] += messages;
  }
  // As many as are let through now.
  void work(const std::string& destination) {
    const Limits::Way& way = ways.at(destination);
    while (due[destination] > 0) {
      ++asked;
      if (auto full = limits.full(way, Limits::Need::connection)) return limits.wait(destination, *full);
      const auto held = limits.connect(way);
      if (auto full = limits.begin(way, held)) return limits.wait(destination, *full, held);
      --due[destination];
      sent.emplace_back(destination, clock.now());
    }
  }
  void call() {
    const auto wants = [this](const std::string& one) { return due[one] > 0; };
    for (const std::string& one : limits.called(wants)) work(one);
  }
  void run(base::Milliseconds time) {
    const base::Time end = clock.now() + time;
    for (;;) {
      call();
      const base::Time next = std::max(limits.next_call().value_or(end), clock.now() + 10ms);
      if (next >= end) break;
      clock.set(next);
    }
    clock.set(end);
  }
};

TEST(Limits, AThousandMessagesAtAHundredAMinuteNeedTenMinutes) {
  World w;
  w.rules({limit(Rule::Subject::domain, "x.test", Rate{100, 60s})});
  w.mail("x.test", "mx.x.test", 1000);
  w.work("x.test");
  EXPECT_EQ(w.sent.size(), 1U);
  EXPECT_EQ(w.limits.why("x.test"), "waits for the rate of the rule for domain x.test: 100/min");
  w.run(10min);
  EXPECT_GE(w.sent.size(), 998U);
  EXPECT_LE(w.sent.size(), 1000U);
  for (std::size_t minute = 0; minute < 9; ++minute) {
    const auto in_it = std::count_if(w.sent.begin(), w.sent.end(), [&](const auto& one) {
      return one.second >= kStart + minute * 60s && one.second < kStart + minute * 60s + 6s;
    });
    EXPECT_LE(in_it, 12) << "evenly, and not all at the minute's begin";
    EXPECT_GE(in_it, 9);
  }
  EXPECT_LE(w.asked, 2100U) << "who waits does not ask on and on";
  w.run(10s);
  EXPECT_EQ(w.limits.why("x.test"), "");
}

TEST(Limits, TwoDomainsOnOneLimitedHostTakeTurns) {
  World w;
  w.rules({limit(Rule::Subject::host, "mx.test", Rate{1, 1s})});
  w.mail("a.test", "mx.test", 1000);
  w.mail("b.test", "mx.test", 30);
  w.mail("c.test", "mx.elsewhere.test", 5);
  w.work("a.test");
  w.work("b.test");
  w.work("c.test");
  EXPECT_EQ(w.due["c.test"], 0);
  EXPECT_EQ(w.limits.why("b.test"), "waits for the rate of the rule for host mx.test: 1/s");
  w.run(40s);
  EXPECT_NEAR(static_cast<double>(1000 - w.due["a.test"]), 20, 1);
  EXPECT_NEAR(static_cast<double>(30 - w.due["b.test"]), 20, 1);
}

TEST(Limits, ADomainsIsSharedByItsDestinationsAndEachNameOfAPatternHasItsOwn) {
  World w;
  w.rules({limit(Rule::Subject::domain, "*.test", Rate{1, 60s})});
  w.mail("a.test", "mx.test", 10);
  w.mail("a.test", "mx.test", 10, " requiretls");
  w.mail("b.test", "mx.test", 10);
  for (const auto& [destination, way] : w.ways) w.work(destination);
  EXPECT_EQ(w.sent.size(), 2U);
  EXPECT_EQ(w.limits.why("a.test requiretls"),
            "waits for the rate of the rule for domain *.test (a.test): 1/min");
  w.run(10min + 1s);
  EXPECT_EQ(w.sent.size(), 21U);
  EXPECT_EQ(w.due["a.test"] + w.due["a.test requiretls"], 9);
}

// One call for each message that is let through, whoever waits.
TEST(Limits, AThousandDestinationsThatWaitCostNoMoreThanWhatIsSent) {
  World w;
  w.rules({limit(Rule::Subject::host, "mx.test", Rate{2, 1s})});
  for (int i = 0; i < 1000; ++i) {
    const std::string domain = "d" + std::to_string(i) + ".test";
    w.mail(domain, "mx.test", 5);
    w.work(domain);
  }
  EXPECT_EQ(w.limits.waiting(), 1000U);
  const std::size_t before = w.asked, sent = w.sent.size();
  w.run(100s);
  EXPECT_NEAR(static_cast<double>(w.sent.size() - sent), 200, 2);
  EXPECT_LE(w.asked - before, 2 * (w.sent.size() - sent) + 2);
  std::map<std::string, int> each;
  for (const auto& [destination, at] : w.sent) ++each[destination];
  EXPECT_LE(std::max_element(each.begin(), each.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; })
                ->second,
            3)
      << "in turns";
}

TEST(Limits, AReloadChangesItAtOnce) {
  World w;
  w.rules({limit(Rule::Subject::domain, "x.test", Rate{1, 3600s})});
  w.mail("x.test", "mx.x.test", 100);
  w.work("x.test");
  w.run(1min);
  EXPECT_EQ(w.sent.size(), 1U);
  w.rules({limit(Rule::Subject::domain, "x.test", Rate{60, 60s})});
  w.run(10s);
  EXPECT_NEAR(static_cast<double>(w.sent.size()), 11, 1);
  w.rules({});
  w.run(10ms);
  EXPECT_EQ(w.due["x.test"], 0);
  EXPECT_EQ(w.limits.why("x.test"), "");
}

TEST(Limits, WhereTheClockIsSetBackNobodyWaitsLonger) {
  World w;
  w.rules({limit(Rule::Subject::domain, "x.test", Rate{1, 60s})});
  w.mail("x.test", "mx.x.test", 5);
  w.work("x.test");
  w.call();
  w.clock.set(kStart - 5h);
  w.run(61s);
  EXPECT_EQ(w.sent.size(), 2U);
}

TEST(Limits, WhoWantsItNoMoreIsPassedOver) {
  World w;
  w.rules({limit(Rule::Subject::host, "mx.test", Rate{1, 60s})});
  for (const char* domain : {"a.test", "b.test", "c.test"}) {
    w.mail(domain, "mx.test", 2);
    w.work(domain);
  }
  w.due["a.test"] = w.due["b.test"] = 0;
  w.run(61s);
  ASSERT_EQ(w.sent.size(), 2U);
  EXPECT_EQ(w.sent.back().first, "c.test");
}

TEST(Limits, ConnectionsAreCountedUntilTheyAreClosed) {
  World w;
  w.rules({limit(Rule::Subject::host, "mx.test", std::nullopt, 2)});
  const Limits::Way a{"a.test", "a.test", "mx.test"}, b{"b.test", "b.test", "mx.test"};
  auto first = w.limits.connect(a), second = w.limits.connect(b);
  EXPECT_EQ(w.limits.full(a, Limits::Need::message), std::nullopt) << "over one that there is";
  const auto full = w.limits.full(b, Limits::Need::connection);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->sentence, "waits for a connection, of which the rule for host mx.test lets 2 be at once");
  w.limits.wait("b.test", *full);
  EXPECT_TRUE(Limits::wanted_by_others(first, "a.test"));
  EXPECT_FALSE(Limits::wanted_by_others(second, "b.test"));
  const auto wants = [](const std::string&) { return true; };
  EXPECT_THAT(w.limits.called(wants), ElementsAre());
  const int changes = w.changes;
  first.reset();
  EXPECT_GT(w.changes, changes);
  const auto late = w.limits.full(a, Limits::Need::connection);
  EXPECT_TRUE(late) << "who comes later does not overtake";
  EXPECT_THAT(w.limits.called(wants), ElementsAre("b.test"));
  EXPECT_EQ(w.limits.full(b, Limits::Need::connection), std::nullopt);
}

// Else each message would have all connections made that a destination may have.
TEST(Limits, NoMoreConnectionsAreMadeThanMessagesAreLeft) {
  World w;
  w.rules({limit(Rule::Subject::host, "mx.test", Rate{2, 1s})});
  const Limits::Way way{"a.test", "a.test", "mx.test"};
  std::vector<Limits::Held> held;
  while (!w.limits.full(way, Limits::Need::connection)) held.push_back(w.limits.connect(way));
  EXPECT_EQ(held.size(), 2U);
  EXPECT_EQ(w.limits.begin(way, held[0]), std::nullopt);
  held.clear();
  EXPECT_EQ(w.limits.full(way, Limits::Need::connection), std::nullopt) << "one has gone without a message";
}

TEST(Limits, NamesWhoseAllowanceIsFullAreForgotten) {
  World w;
  w.rules({limit(Rule::Subject::domain, "*", Rate{1, 1s})});
  for (int i = 0; i < 50'000; ++i) {
    const std::string domain = "d" + std::to_string(i) + ".test";
    EXPECT_EQ(w.limits.begin({domain, domain, ""}, nullptr), std::nullopt);
    w.clock.advance(1ms);
  }
  EXPECT_LE(w.limits.size(), 4000U);
  w.rules({limit(Rule::Subject::domain, "*", Rate{1, 3600s})});
  for (int i = 0; i < 250'000; ++i) {
    const std::string domain = "e" + std::to_string(i) + ".test";
    EXPECT_EQ(w.limits.begin({domain, domain, ""}, nullptr), std::nullopt);
  }
  EXPECT_LE(w.limits.size(), Limits::kMost);
}

}  // namespace
}  // namespace pinnace::delivery
