// Which hosts are looked at when, and what is noted of them, over real connections to a host on loopback.
#include "policyd/prober.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "delivery/mail_host_fixture.hpp"
#include "delivery/tls_host_fixture.hpp"

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;
using namespace tls::testing_certificates;
using delivery::fixture::TlsHost;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kHere = "127.0.0.1";
constexpr const char* kNobody = "127.0.0.9";  // nothing listens there

class ProberTest : public testing::Test {
 protected:
  ProberTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::string name = testing::TempDir() + "pinnace_prober_XXXXXX";
    folder = mkdtemp(name.data());
    db = std::move(store::Database::open(loop, folder, {}).value());
    pins = std::make_unique<discovery::PinStore>(*db);
    delivery_settings.hostname = "relay.test";
    settings.per_second = 1000;
    settings.address_pause = 0s;  // all hosts are at one
  }
  ~ProberTest() override {
    prober.reset();
    loop.drop_tasks();
    std::filesystem::remove_all(folder);
  }

  void start() {
    const delivery::Tools tools{loop, clock, delivery_settings, {}, roots_of(root)};
    prober = std::make_unique<Prober>(tools, *pins, settings,
                                      [this](const std::string& name) { learned.push_back(name); });
  }
  std::string bound(const std::string& name) const { return name + ":" + std::to_string(host.port); }
  // As the gatherer gives it, with what is noted.
  discovery::HostFacts facts(const std::string& name, std::vector<const char*> at = {kHere}) const {
    discovery::HostFacts out;
    out.facts.domain = "x.test";
    out.facts.host_name = name;
    out.facts.host = bound(name);
    out.facts.now = clock.now();
    out.facts.host_pins = pins->find(pins::Scope::host, out.facts.host).value();
    out.facts.stsec = pins->find_stsec(out.facts.host).value();
    dns::Addresses addresses;
    for (const char* one : at) addresses.addresses.push_back(io::IpAddress::parse(one).value());
    out.addresses = std::make_shared<const dns::Addresses>(std::move(addresses));
    return out;
  }
  std::shared_ptr<const policy::Decision> decide(const discovery::HostFacts& f) const {
    return std::make_shared<const policy::Decision>(policy::decide(f.facts));
  }
  // Each host is another next hop's.
  void want(const std::string& name = "mx.x.test", std::vector<const char*> at = {kHere}) {
    want_for({name, false}, name, std::move(at));
  }
  void want_for(const ProbeFor& whom, const std::string& name, std::vector<const char*> at = {kHere}) {
    const discovery::HostFacts f = facts(name, std::move(at));
    prober->want(f, decide(f), whom);
  }
  // What somebody demands of the host by a policy of his own.
  std::shared_ptr<const policy::Decision> demanding(std::vector<pins::Pin> pinned) const {
    auto f = facts("mx.x.test").facts;
    pins::PinSet set;
    set.name = f.host;
    set.stage = pins::Stage::enforced;
    set.basis = pins::Basis::authenticated;
    for (const pins::Pin& pin : pinned) set.pins.push_back({pin, clock.now() + 365 * 24h});
    f.host_pins = set;
    return std::make_shared<const policy::Decision>(policy::decide(f));
  }
  std::vector<postfix::SeenChain> seen(const std::string& name = "mx.x.test") const {
    return prober->seen(bound(name), *decide(facts(name)));
  }
  void require(std::vector<pins::Pin> pinned) {
    pins::PinSet set;
    set.name = bound("mx.x.test");
    set.stage = pins::Stage::enforced;
    set.basis = pins::Basis::authenticated;
    for (const pins::Pin& pin : pinned) set.pins.push_back({pin, clock.now() + 365 * 24h});
    loop.spawn(save(*pins, set));
  }
  static io::Task<void> save(discovery::PinStore& store, pins::PinSet set) {
    const auto saved = co_await store.save(set);
    EXPECT_TRUE(saved);
  }
  void advertise(const std::string& more = "") {
    host.ehlo = "250-mx.x.test\r\n250-PKP PIN-SHA256=" + leaf.pin().str() +
                "\r\n250-PKP PIN-SHA256=" + backup.pin().str() + "\r\n250-PKP MAX-AGE=86400" + more +
                "\r\n250 STSEC MAX-AGE=86400\r\n";
  }
  // Lets all go on until it is so; false: it is not in ten seconds.
  bool wait_for(const std::function<bool()>& so) {
    const auto deadline = io::Steady::now() + 10s;
    while (!so() && io::Steady::now() < deadline) {
      loop.spawn(stop_soon(loop));
      loop.run();
    }
    return so();
  }
  static io::Task<void> stop_soon(io::Loop& loop) {
    io::Timer timer(loop);
    const bool elapsed = co_await timer.wait(5ms);
    EXPECT_TRUE(elapsed);
    loop.stop();
  }
  // So many probes have begun, and none is under way: the next of this host would begin.
  bool probed(std::uint64_t count, std::uint64_t failed) {
    return wait_for([&] {
      const ProberStats s = prober->stats();
      return s.probes == count && s.failed == failed && s.running == 0;
    });
  }
  bool noted(pins::Scope scope, const std::string& name) const {
    return pins->find(scope, name).value().has_value();
  }

  std::string folder;
  base::ManualClock clock{base::SystemClock().now()};  // the certificates' dates are those of today
  Certificate root = make({"Root", "", true});
  Certificate leaf = make({"leaf", "DNS:mx.x.test"}, &root);
  Certificate backup = make({"backup", ""});
  TlsHost host{leaf, TLS1_3_VERSION};
  delivery::Settings delivery_settings;
  ProberSettings settings;
  std::vector<std::string> learned;
  io::Loop loop;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<discovery::PinStore> pins;
  std::unique_ptr<Prober> prober;
};

TEST_F(ProberTest, WhatAHostAdvertisesIsNotedAndWhatItShowedIsSeen) {
  advertise();
  start();
  EXPECT_THAT(seen(), IsEmpty());
  want();
  ASSERT_TRUE(probed(1, 0));
  const std::string name = bound("mx.x.test");
  EXPECT_THAT(learned, ElementsAre(name));
  EXPECT_EQ(prober->stats().noted, 1U);
  EXPECT_EQ(pins->find(pins::Scope::host, name).value()->stage, pins::Stage::enforced)
      << "the WebPKI vouches";
  EXPECT_TRUE(pins->find_stsec(name).value());
  // The decision is another now; no other probe is needed to know what the chain is worth under it.
  const auto decision = decide(facts("mx.x.test"));
  EXPECT_TRUE(decision->tls_required);
  const auto chains = seen();
  ASSERT_THAT(chains, SizeIs(1));
  const pins::Pin pin = leaf.pin();
  EXPECT_EQ(chains[0].key_sha256, std::string(pin.sha256.begin(), pin.sha256.end()));
  EXPECT_THAT(chains[0].anchors, IsEmpty());
  want();
  clock.advance(11min);
  want();
  EXPECT_TRUE(probed(1, 0));
}

TEST_F(ProberTest, TheCaOfAPinIsSeen) {
  start();
  require({root.pin()});
  want();
  ASSERT_TRUE(probed(1, 0));
  const auto chains = seen();
  ASSERT_THAT(chains, SizeIs(1));
  EXPECT_THAT(chains[0].anchors, ElementsAre(root.pem()));
  clock.set(chains[0].not_after + 1s);
  EXPECT_THAT(seen(), IsEmpty()) << "it has expired";
}

// pinning-protocol 4: it takes a message that was accepted.
TEST_F(ProberTest, NothingIsNotedForADomain) {
  advertise(" SCOPE=DOMAIN");
  start();
  want();
  ASSERT_TRUE(probed(1, 0));
  EXPECT_TRUE(noted(pins::Scope::host, bound("mx.x.test")));
  EXPECT_FALSE(noted(pins::Scope::domain, "x.test"));
}

// pinning-protocol 3.1, condition 4
TEST_F(ProberTest, OfAHostThatDoesNotSatisfyItsDecisionNothingIsNotedOrSeen) {
  advertise();
  start();
  require({backup.pin()});
  want();
  ASSERT_TRUE(probed(1, 1));
  EXPECT_THAT(seen(), IsEmpty());
  EXPECT_THAT(learned, IsEmpty());
  EXPECT_FALSE(noted(pins::Scope::host, "mx.x.test"));
  EXPECT_EQ(pins->find(pins::Scope::host, bound("mx.x.test")).value()->pins.size(), 1U);
  EXPECT_FALSE(pins->find_stsec(bound("mx.x.test")).value());
}

TEST_F(ProberTest, AHostIsLookedAtAgainBeforeWhatIsKnownEnds) {
  advertise();
  settings.refresh = 48h;
  start();
  want();
  ASSERT_TRUE(probed(1, 0));
  const struct {
    const char* why;
    base::Milliseconds later;
    std::uint64_t probes;
  } steps[] = {
      {"the day is young", 11h, 1},
      {"half of the pins' day has passed", 1h, 2},
      {"and is counted anew", 11h, 2},
      {"again", 1h, 3},
  };
  for (const auto& step : steps) {
    clock.advance(step.later);
    want();
    EXPECT_TRUE(probed(step.probes, 0)) << step.why << ": " << prober->stats().probes;
  }
  EXPECT_THAT(learned, SizeIs(1)) << "nothing new was to be learned";
}

TEST_F(ProberTest, WhoeverCannotBeReachedIsLeftAloneLongerAndLonger) {
  start();
  std::uint64_t tries = 0;
  base::Milliseconds pause = 10min;
  for (int i = 0; i < 9; ++i) {
    want("mx.x.test", {kNobody});
    ASSERT_TRUE(probed(tries + 1, tries + 1)) << i;
    ++tries;
    clock.advance(pause - 1s);
    want("mx.x.test", {kNobody});
    EXPECT_TRUE(probed(tries, tries)) << i;
    clock.advance(1s);
    pause = std::min<base::Milliseconds>(pause * 2, 12h);
  }
  // Once it answers, that is forgotten.
  want();
  ASSERT_TRUE(probed(tries + 1, tries));
  EXPECT_THAT(seen(), SizeIs(1));
}

TEST_F(ProberTest, TheAddressesOfAHostAreTriedInTurn) {
  start();
  want("mx.x.test", {kNobody, "127.0.0.8", kHere, kHere});
  ASSERT_TRUE(probed(3, 0));
  EXPECT_EQ(host.handshakes, 1);
}

TEST_F(ProberTest, AnotherDecisionIsProbedUnderAfterThePause) {
  start();
  want();
  ASSERT_TRUE(probed(1, 0));
  require({backup.pin()});
  want();
  clock.advance(9min);
  want();
  EXPECT_TRUE(probed(1, 0));
  EXPECT_THAT(seen(), IsEmpty());
  clock.advance(1min);
  want();
  EXPECT_TRUE(probed(2, 1));
}

TEST_F(ProberTest, NobodyIsAskedWhereMailNeverGoes) {
  start();
  discovery::HostFacts f = facts("mx.x.test");
  policy::Decision never = *decide(f);
  never.tls_never = true;
  prober->want(f, std::make_shared<const policy::Decision>(never), {});
  policy::Decision unmet = *decide(f);
  unmet.tls_required = true;
  unmet.requirements.emplace_back().demand = policy::Demand::unmet;
  prober->want(f, std::make_shared<const policy::Decision>(unmet), {});
  prober->want(f, nullptr, {});
  want("mx.x.test", {});
  EXPECT_EQ(prober->stats().hosts, 0U);
}

TEST_F(ProberTest, AFloodFindsNoRoomAndDisplacesNobody) {
  settings.most_waiting = 5;
  settings.parallel = 1;
  settings.per_second = 0.1;
  start();
  want();
  ASSERT_TRUE(probed(1, 0));
  for (int i = 0; i < 100; ++i) want("mx" + std::to_string(i) + ".x.test");
  const ProberStats s = prober->stats();
  EXPECT_EQ(s.waiting, 5U);
  EXPECT_EQ(s.hosts, 1U + 1U + 5U) << "the known one, one that has begun, and those that wait";
  EXPECT_EQ(s.dropped, 94U);
  EXPECT_THAT(seen(), SizeIs(1));
}

TEST_F(ProberTest, WhoWasNotAskedForLongestIsForgotten) {
  settings.most_hosts = 2;
  start();
  for (const char* name : {"a.x.test", "b.x.test"}) {
    want(name);
    ASSERT_TRUE(probed(prober->stats().probes + (prober->stats().hosts > prober->stats().probes), 0));
  }
  want("a.x.test");
  want("c.x.test");
  ASSERT_TRUE(probed(3, 0));
  EXPECT_EQ(prober->stats().hosts, 2U);
  EXPECT_THAT(seen("a.x.test"), SizeIs(1));
  EXPECT_THAT(seen("b.x.test"), IsEmpty());
}

TEST_F(ProberTest, ConnectionsBeginNoFasterThanTheyMay) {
  settings.per_second = 20;
  settings.parallel = 3;
  start();
  const auto began = io::Steady::now();
  const base::Time first = clock.now();
  for (int i = 0; i < 6; ++i) want("mx" + std::to_string(i) + ".x.test");
  ASSERT_TRUE(wait_for([&] {
    clock.set(first + std::chrono::duration_cast<base::Milliseconds>(io::Steady::now() - began));
    return prober->stats().probes == 6;
  }));
  EXPECT_GE(io::Steady::now() - began, 5 * 50ms - 20ms);
}

TEST_F(ProberTest, ANextHopHasFewHostsThatWait) {
  settings.parallel = 1;
  settings.per_second = 0.1;
  start();
  for (int i = 0; i < 20; ++i) want_for({"evil.test", true}, "mx" + std::to_string(i) + ".evil.test");
  EXPECT_EQ(prober->stats().hosts, 3U) << "with the one that has begun";
  EXPECT_EQ(prober->stats().dropped, 17U);
  want();
  EXPECT_EQ(prober->stats().hosts, 4U);
}

TEST_F(ProberTest, OfANextHopsHostsOthersFollowThoseThatWereLookedAt) {
  start();
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 6; ++i) want_for({"x.test", false}, "mx" + std::to_string(i) + ".x.test");
    ASSERT_TRUE(wait_for([&] { return prober->stats().running == 0 && prober->stats().waiting == 0; }));
    EXPECT_EQ(prober->stats().probes, 3U * round);
  }
}

TEST_F(ProberTest, WhatAnAnswerRestsOnGoesFirst) {
  settings.parallel = 1;
  start();
  want("slow.x.test", {kNobody, "127.0.0.8", kHere});
  for (int i = 0; i < 5; ++i) want("a" + std::to_string(i) + ".x.test");
  want_for({"x.test", true}, "mx.x.test");
  ASSERT_TRUE(wait_for([&] { return learned.size() == 7; }));
  EXPECT_EQ(learned[1], bound("mx.x.test")) << "the first that began after it was wanted";
}

TEST_F(ProberTest, AHostThatWaitsKeepsItsPlaceHoweverOftenItIsAskedFor) {
  settings.parallel = 1;
  start();
  want("slow.x.test");
  want("mx.x.test");
  clock.advance(1s);
  want("a.x.test");
  clock.advance(1s);
  want("mx.x.test");
  ASSERT_TRUE(wait_for([&] { return learned.size() == 3; }));
  EXPECT_THAT(learned, ElementsAre(bound("slow.x.test"), bound("mx.x.test"), bound("a.x.test")));
}

TEST_F(ProberTest, AnAddressRestsWhateverItsHostsAreCalled) {
  settings.address_pause = 10s;
  settings.parallel = 1;
  start();
  std::uint64_t failed = 0;
  want("mx0.evil.test", {kNobody});
  ASSERT_TRUE(probed(1, ++failed));
  for (int i = 1; i < 10; ++i) want("mx" + std::to_string(i) + ".evil.test", {kNobody});
  clock.advance(10min - 1s);
  want();
  ASSERT_TRUE(probed(2, failed)) << "another address is free";
  EXPECT_EQ(prober->stats().waiting, 9U);
  clock.advance(1s);
  want("mx1.evil.test", {kNobody});
  ASSERT_TRUE(probed(3, ++failed)) << "one of those that wait";
  EXPECT_EQ(prober->stats().waiting, 8U);
  // Where somebody answers the rest is short.
  clock.advance(9s);
  want("a.x.test");
  EXPECT_TRUE(probed(4, failed));
  want("b.x.test");
  EXPECT_TRUE(probed(4, failed));
  clock.advance(10s);
  want("b.x.test");
  EXPECT_TRUE(probed(5, failed));
}

// A receiver renews its certificate under the pins that hold: what Postfix was told is the old one's digest.
TEST_F(ProberTest, WhatAnAnswerRestsOnIsSeenAgainWithinTheHour) {
  const struct {
    const char* why;
    bool needed;
    base::Milliseconds later;
    std::uint64_t probes;
  } steps[] = {
      {"the first", true, 0s, 1},
      {"not yet", true, 59min, 1},
      {"within the hour", true, 1min, 2},
      {"again", true, 1h, 3},
      {"for two hours more, as others may ask", false, 1h, 4},
      {"for two hours more, as others may ask", false, 1h, 5},
      {"nothing rests on it any more", false, 1h, 6},
      {"nor now", false, 11h, 6},
      {"seldom", false, 1h, 7},
  };
  start();
  require({leaf.pin()});
  for (const auto& step : steps) {
    clock.advance(step.later);
    want_for({"x.test", step.needed}, "mx.x.test");
    EXPECT_TRUE(probed(step.probes, 0)) << step.why << ": " << prober->stats().probes;
  }
}

TEST_F(ProberTest, WhoseHostIsNamedByOthersIsJudgedByItsOwnDecisionAndHasItsTurn) {
  advertise();
  start();
  const auto honest = demanding({leaf.pin()});
  const auto evil = demanding({backup.pin()});
  prober->want(facts("mx.x.test"), honest, {"x.test", true});
  prober->want(facts("mx.x.test"), evil, {"evil.test", true});
  ASSERT_TRUE(probed(1, 0)) << "who came first";
  for (int i = 1; i < 4; ++i) {
    clock.advance(10min);
    prober->want(facts("mx.x.test"), evil, {"evil.test", true});
    ASSERT_TRUE(probed(1 + i, i));
  }
  EXPECT_THAT(prober->seen(bound("mx.x.test"), *honest), SizeIs(1));
  // What was shown to another serves it, and it is probed for besides: pins are noted of such a probe alone.
  const auto also = demanding({leaf.pin(), backup.pin()});
  prober->want(facts("mx.x.test"), also, {"other.test", true});
  EXPECT_THAT(prober->seen(bound("mx.x.test"), *also), SizeIs(1));
  EXPECT_THAT(prober->seen(bound("mx.x.test"), *evil), IsEmpty());
  clock.advance(10min);
  prober->want(facts("mx.x.test"), evil, {"evil.test", true});
  EXPECT_TRUE(probed(5, 3)) << "under the one that waited longest";
}

TEST_F(ProberTest, WhatOneDecisionRefusesIsKeptForTheOthers) {
  start();
  const auto honest = demanding({leaf.pin()});
  prober->want(facts("mx.x.test"), demanding({backup.pin()}), {"evil.test", true});
  ASSERT_TRUE(probed(1, 1));
  EXPECT_THAT(prober->seen(bound("mx.x.test"), *honest), SizeIs(1));
}

TEST_F(ProberTest, WhomNobodyAskedForSinceIsLeftAlone) {
  start();
  want("mx.x.test", {kNobody});
  ASSERT_TRUE(probed(1, 1));
  clock.advance(15min);
  want("a.x.test");
  ASSERT_TRUE(probed(2, 1));
  want("mx.x.test", {kNobody});
  EXPECT_TRUE(probed(3, 2));
}

TEST_F(ProberTest, ItMayGoWhileAProbeIsUnderWay) {
  advertise();
  start();
  want();
  ASSERT_TRUE(wait_for([&] { return prober->stats().probes == 1; }));
  prober.reset();
  ASSERT_TRUE(wait_for([&] { return loop.tasks() <= 1; })) << "it ends by itself";
  EXPECT_THAT(learned, IsEmpty());
}

}  // namespace
}  // namespace pinnace::policyd
