// What is told when: over a name server on loopback, with a clock that the tests turn.
#include "policyd/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "dns/name_server_fixture.hpp"
#include "policyd/lookup.hpp"

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;
using dns::fixture::NameServer;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

const std::string kAddress("\x7f\0\0\x09", 4);

std::string mx_of(const std::string& host) {
  std::string out("\0\x0a", 2);
  for (std::size_t at = 0; at < host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    out += static_cast<char>(end - at) + host.substr(at, end - at);
    at = end + 1;
  }
  return out + '\0';
}

TEST(EndOf, IsTheFirstEndBetweenAMinuteAndAnHour) {
  const base::Time now{1'700'000'000'000ms};
  EXPECT_EQ(end_of(now, 300s, {}), now + 300s);
  EXPECT_EQ(end_of(now, 300s, {now + 200s, now + 400s}), now + 200s);
  EXPECT_EQ(end_of(now, 0s, {}), now + 60s);
  EXPECT_EQ(end_of(now, 300s, {now - 1h}), now + 60s);
  EXPECT_EQ(end_of(now, 86400s, {}), now + 1h);
}

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    std::string name = testing::TempDir() + "pinnace_engine_XXXXXX";
    folder = mkdtemp(name.data());
    dns_settings.stubs = {{"test.", "127.0.0.1@" + std::to_string(names.port())}};
    dns_settings.trust_anchor_file = folder + "/anchor";
    dns_settings.timeout = 1s;
    std::ofstream(dns_settings.trust_anchor_file)
        << "signed.invalid. IN DS 20326 8 2 "
           "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
    settings.maps = {{"pinnace", {}}, {"report-only", {}}};
    settings.maps[1].options.report_only = true;
    settings.lookup_timeout = 2s;
    rule("*.must.test");
    for (const char* domain : {"x.test", "a.must.test", "b.must.test"}) add(domain);
    start();
  }
  ~EngineTest() override {
    end();
    std::filesystem::remove_all(folder);
  }

  void add(const std::string& domain) {
    names.set(domain, dns::Type::mx, mx_of("mx." + domain));
    names.set("mx." + domain, dns::Type::a, kAddress);
  }
  void rule(const std::string& domain, policy::Level level = policy::Level::encrypt) {
    policy::Rule one(policy::Rule::Subject::domain, *policy::NamePattern::parse(domain));
    one.level = level;
    rules = std::make_shared<const policy::RuleBook>(*policy::RuleBook::make({one}));
    if (gatherer) gatherer->set_rules(rules);
  }
  void start(const std::string& conditions = "one") {
    owned_loop = std::make_unique<io::Loop>();
    io::Loop& loop = *owned_loop;
    fetcher = std::make_unique<http::Fetcher>(loop, tls::TrustStore::system(), http::Settings{});
    resolver = std::move(*dns::Resolver::create(loop, dns_settings));
    db = std::move(store::Database::open(loop, folder + "/store", {}).value());
    routes = std::make_unique<discovery::Routes>(loop, *resolver);
    pins = std::make_unique<discovery::PinStore>(*db);
    sts = std::make_unique<discovery::StsPolicies>(loop, *resolver, db.get(), clock, *fetcher);
    gatherer = std::make_unique<discovery::Gatherer>(clock, *routes, *sts, pins.get(), 25);
    gatherer->set_rules(rules);
    answers = std::make_unique<Answers>(16 << 20);
    engine = std::make_unique<Engine>(
        Engine::Parts{loop, clock, *gatherer, 25, *db, *answers, folder + "/anchors", nullptr}, settings);
    loaded = engine->load(conditions).value();
    engine->start();
  }
  // As after a kill: what the store has is what is known.
  void restart(const std::string& conditions = "one") {
    engine->stop();
    run_until([this] { return engine->stopped(); });
    end();
    start(conditions);
  }
  void end() {
    owned_loop->drop_tasks();
    engine.reset();
    gatherer.reset();
    sts.reset();
    routes.reset();
    resolver.reset();
    pins.reset();
    db.reset();
    fetcher.reset();
    owned_loop.reset();
  }

  static io::Task<void> watch(std::function<bool()> seen, bool& late, io::Loop& loop) {
    const auto until = io::Steady::now() + 20s;
    io::Timer timer(loop);
    while (!seen() && io::Steady::now() < until) {
      const bool elapsed = co_await timer.wait(5ms);
      if (!elapsed) break;
    }
    late = !seen();
    loop.stop();
  }
  void run_until(std::function<bool()> seen) {
    io::Loop& loop = *owned_loop;
    bool late = false;
    loop.post([&] { loop.spawn(watch(std::move(seen), late, loop)); });
    loop.run();
    ASSERT_FALSE(late);
  }
  std::vector<std::string> tell_many(const std::string& domain, std::size_t count, Profile profile = 0) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i)
      engine->find(profile, domain, [&out](std::string reply) { out.push_back(std::move(reply)); });
    run_until([&] { return out.size() == count; });
    return out;
  }
  std::string tell(const std::string& domain, Profile profile = 0) {
    return tell_many(domain, 1, profile).at(0);
  }
  bool ready(const std::string& domain) {
    std::string out;
    return answers->find(0, domain, clock.now(), out);
  }

  NameServer names;
  std::unique_ptr<io::Loop> owned_loop;
  base::ManualClock clock{base::Time(1'700'000'000s)};
  std::string folder;
  dns::Settings dns_settings;
  EngineSettings settings;
  std::shared_ptr<const policy::RuleBook> rules;
  std::unique_ptr<http::Fetcher> fetcher;
  std::unique_ptr<dns::Resolver> resolver;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<discovery::Routes> routes;
  std::unique_ptr<discovery::PinStore> pins;
  std::unique_ptr<discovery::StsPolicies> sts;
  std::unique_ptr<discovery::Gatherer> gatherer;
  std::unique_ptr<Answers> answers;
  std::unique_ptr<Engine> engine;
  std::size_t loaded = 0;
};

TEST_F(EngineTest, ManyWhoAskShareOneLookup) {
  EXPECT_THAT(tell_many("a.must.test", 50), testing::Each(StartsWith("OK encrypt")));
  EXPECT_EQ(names.asked("a.must.test", dns::Type::mx), 1);
  EXPECT_EQ(engine->stats().cold, 1U);
  EXPECT_EQ(engine->stats().shared, 49U);
  EXPECT_EQ(tell("a.must.test", 1), "NOTFOUND ") << "the other map was made with it";
  EXPECT_EQ(engine->stats().cold, 1U);
}

TEST_F(EngineTest, EveryFormOfANextHopIsTold) {
  EXPECT_EQ(tell("x.test"), "NOTFOUND ");
  EXPECT_THAT(tell("A.Must.Test"), StartsWith("OK encrypt"));
  EXPECT_THAT(tell("[a.must.test]:587"), testing::AnyOf(StartsWith("OK encrypt"), StartsWith("TEMP ")));
  EXPECT_THAT(tell("a.must.test:587"), StartsWith("OK encrypt"));
  EXPECT_EQ(tell(".must.test"), "NOTFOUND ");
  EXPECT_THAT(tell("a.must.test:what"), StartsWith("PERM "));
  EXPECT_THAT(tell("a b.must.test"), StartsWith("PERM "));
}

TEST_F(EngineTest, AnAddressIsHeldToTheRulesForAll) {
  for (const char* key :
       {"[192.0.2.1]", "192.0.2.1", "[192.0.2.1]:587", "[IPv6:2001:db8::1]", "[2001:db8::2]"})
    EXPECT_EQ(tell(key), "NOTFOUND ") << key;
  rule("*");
  engine->all_changed("two");
  names.silence("");  // it is in no DNS
  for (const char* key :
       {"[192.0.2.1]", "192.0.2.1", "[192.0.2.1]:587", "[IPv6:2001:db8::1]", "[2001:db8::2]"})
    EXPECT_EQ(tell(key), "OK encrypt") << key;
  EXPECT_EQ(engine->stats().cold, 8U) << "each in its forms once, before and after";
}

// A forged denial leaves Postfix, which has found a host of its own, to its own level.
TEST_F(EngineTest, ARuleBindsADomainThatTheDnsDenies) {
  EXPECT_EQ(tell("nowhere.test"), "NOTFOUND ");
  EXPECT_THAT(tell("nowhere.must.test"), StartsWith("TEMP "));
  rule("*");
  engine->all_changed("two");
  EXPECT_THAT(tell("nowhere.test"), StartsWith("TEMP "));
}

TEST_F(EngineTest, ABrokenResolverIsNoMissingPolicy) {
  names.silence("");
  EXPECT_THAT(tell("x.test"), StartsWith("TEMP "));
  EXPECT_EQ(engine->stats().temporary.at("dns"), 1U);
  names.speak();
  clock.advance(10s);
  EXPECT_FALSE(ready("x.test")) << "a failure is kept for moments only";
}

TEST_F(EngineTest, WhatWasDemandedIsDemandedWhileTheResolverIsBroken) {
  const std::string before = tell("a.must.test");
  EXPECT_EQ(tell("x.test"), "NOTFOUND ");
  names.silence("");
  restart();  // with caches that know nothing
  EXPECT_EQ(loaded, 2U);
  EXPECT_EQ(tell("a.must.test"), before);
  clock.advance(2h);
  EXPECT_EQ(tell("a.must.test"), before);
  EXPECT_THAT(tell("x.test"), StartsWith("TEMP ")) << "it demanded nothing: that may not hold any more";
  EXPECT_EQ(engine->stats().told_on, 1U);
  clock.advance(23h);
  restart();
  EXPECT_THAT(tell("a.must.test"), StartsWith("TEMP ")) << "a day is enough";
}

// What probes saw is in memory only.
TEST_F(EngineTest, AFingerprintOfBeforeARestartHoldsToItsEnd) {
  rule("x.test", policy::Level::authenticated);
  pins::PinSet set;
  set.name = "mx.x.test";
  set.pins = {{pins::Pin{}, clock.now() + 720h}};
  set.stage = pins::Stage::enforced;
  Told before;
  before.key = "x.test";
  before.made = clock.now();
  before.refresh = clock.now() + 10s;
  before.usable = clock.now() + 10min;
  before.kept = true;
  before.hosts = {"mx.x.test", "@x.test"};
  before.replies = {{"pinnace", "OK fingerprint match=01:02", "seen", {}, {}, true},
                    {"report-only", "NOTFOUND ", "report only", {}, {}, false}};
  store::Batch batch = db->batch();
  batch.put(store::Table::pins, set.key(), set.encode());
  batch.put(store::Table::answers, "hop/x.test", before.encode());
  ASSERT_TRUE(db->commit_at_start(std::move(batch)));
  restart();
  ASSERT_EQ(loaded, 1U);
  clock.advance(11s);  // it is due
  run_until([this] { return engine->stats().refreshed == 1 && engine->stats().running == 0; });
  EXPECT_EQ(engine->stats().temporary.at("mapping"), 1U) << "no chain was seen since";
  EXPECT_EQ(tell("x.test"), "OK fingerprint match=01:02");
  restart();
  EXPECT_EQ(loaded, 1U) << "it is in the store still";
  EXPECT_EQ(tell("x.test"), "OK fingerprint match=01:02");
  clock.advance(10min);
  EXPECT_THAT(tell("x.test"), StartsWith("TEMP ")) << "no longer than it was to hold";
}

// RFC 7672 2.1.2: TLSA records that cannot be had are no answer of the DNS, as addresses that cannot.
TEST(LookupFailed, IsOneThatBroughtNoHostForWantOfTheDns) {
  using policy::Demand;
  using policy::Source;
  const auto host = [](std::vector<std::pair<Source, Demand>> demands) {
    auto decision = std::make_shared<policy::Decision>();
    for (const auto& [source, demand] : demands) {
      decision->requirements.emplace_back();
      decision->requirements.back().source = source;
      decision->requirements.back().demand = demand;
    }
    postfix::HostKnown out;
    out.decision = decision;
    return out;
  };
  const postfix::HostKnown unknown;
  const auto no_tlsa = host({{Source::dane, Demand::unmet}});
  const auto unlisted = host({{Source::dane, Demand::unmet}, {Source::sts, Demand::unmet}});
  const auto good = host({{Source::dane, Demand::dane}});
  const struct {
    std::vector<postfix::HostKnown> hosts;
    bool all, some;
  } cases[] = {{{unknown, no_tlsa}, true, true},
               {{no_tlsa, good}, false, true},
               {{unknown, good}, false, true},
               {{unlisted}, false, false},
               {{good, host({})}, false, false}};
  for (const auto& c : cases) {
    postfix::DomainKnown known;
    known.kind = postfix::DomainKnown::Kind::hosts;
    known.hosts = c.hosts;
    EXPECT_EQ(Lookup::failed(known), c.all) << &c - cases;
    EXPECT_EQ(Lookup::failed_in_part(known), c.some) << &c - cases;
  }
}

TEST_F(EngineTest, ARestartUnderOtherRulesForgetsWhatWasTold) {
  EXPECT_EQ(tell("x.test"), "NOTFOUND ");
  restart("one");
  EXPECT_EQ(loaded, 1U);
  rule("x.test");
  restart("two");
  EXPECT_EQ(loaded, 0U);
  EXPECT_THAT(tell("x.test"), StartsWith("OK encrypt"));
}

TEST_F(EngineTest, OtherRulesBindAtOnce) {
  EXPECT_EQ(tell("x.test"), "NOTFOUND ");
  rule("x.test");
  engine->all_changed("two");
  EXPECT_THAT(tell("x.test"), StartsWith("OK encrypt"));
}

TEST_F(EngineTest, WhatIsNotedOfAHostBindsItsDomainsAtOnce) {
  EXPECT_EQ(tell("x.test"), "NOTFOUND ");
  EXPECT_THAT(tell("a.must.test"), StartsWith("OK "));
  engine->host_changed("mx.x.test");
  EXPECT_FALSE(ready("x.test"));
  EXPECT_TRUE(ready("a.must.test")) << "another host's";
  run_until([this] { return ready("x.test"); });  // made anew without being asked
  // The same of one that only the store knows.
  clock.advance(1s);
  restart();
  engine->host_changed("mx.a.must.test");
  EXPECT_FALSE(ready("a.must.test"));
  engine->domain_changed("x.test");
  EXPECT_FALSE(ready("x.test"));
}

TEST_F(EngineTest, AHangingHostHoldsNothingUpBeyondTheDeadline) {
  settings.lookup_timeout = 500ms;
  dns_settings.timeout = 10s;
  restart();
  names.silence("mx.a.must.test");
  const auto begun = io::Steady::now();
  std::vector<std::string> hanging;
  engine->find(0, "a.must.test", [&hanging](std::string reply) { hanging.push_back(std::move(reply)); });
  EXPECT_THAT(tell("b.must.test"), StartsWith("OK encrypt"));
  EXPECT_THAT(hanging, SizeIs(0)) << "another domain does not wait for it";
  run_until([&] { return !hanging.empty(); });
  EXPECT_LT(io::Steady::now() - begun, 5s);
  EXPECT_THAT(hanging[0], StartsWith("TEMP "));
}

TEST_F(EngineTest, AnswersAreMadeAnewAheadOfTheirEnd) {
  EXPECT_THAT(tell("a.must.test"), StartsWith("OK "));
  EXPECT_TRUE(ready("a.must.test"));  // it is asked for
  clock.advance(55s);                 // of the minute that it is told for
  run_until([this] { return engine->stats().refreshed == 1; });
  clock.advance(30s);
  EXPECT_TRUE(ready("a.must.test"));
}

TEST_F(EngineTest, AStormIsLookedUpAFewAtATimeWhileAnswersGoOn) {
  constexpr int kDomains = 200;
  const auto name = [](int n) { return "s" + std::to_string(n) + ".must.test"; };
  for (int n = 0; n < kDomains; ++n) add(name(n));
  settings.lookups = 8;
  restart();
  for (int n = 0; n < kDomains; ++n) {
    ASSERT_TRUE(answers->put(0, name(n), {"OK secure", clock.now(), clock.now() + 1h, false, clock.now()}));
    ASSERT_TRUE(ready(name(n)));  // it is asked for, and due
  }
  std::size_t most = 0;
  int missing = 0;
  run_until([&] {
    most = std::max(most, engine->stats().running);
    for (int n = 0; n < kDomains; ++n) missing += ready(name(n)) ? 0 : 1;
    return engine->stats().refreshed == kDomains && engine->stats().running == 0;
  });
  EXPECT_LE(most, settings.lookups);
  EXPECT_GT(most, 0U);
  EXPECT_EQ(missing, 0) << "told on until the new one is there";
  for (int n = 0; n < kDomains; ++n) {
    EXPECT_EQ(names.asked(name(n), dns::Type::mx), 1);
    EXPECT_EQ(tell(name(n)), "OK encrypt");
  }
}

TEST_F(EngineTest, AnUnsignedDenialEndsNoPolicy) {
  EXPECT_THAT(tell("a.must.test"), StartsWith("OK "));
  names.erase("a.must.test", dns::Type::mx);
  restart();
  clock.advance(2min);
  EXPECT_THAT(tell("a.must.test"), testing::Not(StartsWith("NOTFOUND")));
}

}  // namespace
}  // namespace pinnace::policyd
