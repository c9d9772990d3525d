#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pins/advert.hpp"
#include "pins/lint.hpp"
#include "pins/noting.hpp"

namespace pinnace::pins {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const base::Time kStart = base::Time(base::Seconds(1'700'000'000));
const std::string kA = "d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=";
const std::string kB = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

Pin pin(int n) {
  Pin p;
  p.sha256[0] = static_cast<std::uint8_t>(n);
  p.sha256[1] = static_cast<std::uint8_t>(n >> 8);
  return p;
}

Advert advert_of(std::vector<int> pins, base::Seconds max_age = 3600s) {
  Advert a;
  for (const int n : pins) a.pins.push_back({pin(n), std::nullopt});
  a.max_age = max_age;
  return a;
}

TEST(Advert, TheExampleOfTheProtocol) {
  const std::vector<std::string> lines = {"PIN-SHA256=" + kA, "PIN-SHA256=" + kB, "MAX-AGE=259200"};
  const auto parsed = parse_advert(lines);
  ASSERT_TRUE(parsed.advert);
  EXPECT_EQ(parsed.advert->pins[0].pin.str(), kA);
  EXPECT_EQ(parsed.advert->pins[1].pin.str(), kB);
  EXPECT_EQ(parsed.advert->max_age, 259200s);
  EXPECT_EQ(parsed.advert->scope, Scope::host);
  EXPECT_EQ(parsed.advert->mode, Mode::enforce);
}

TEST(Advert, GrammarOfSection1) {
  const std::string a = "PIN-SHA256=" + kA;
  std::vector<std::string> many = {"MAX-AGE=60"}, most = {"MAX-AGE=60"};
  for (int i = 0; i < 33; ++i) {
    many.push_back("PIN-SHA256=" + pin(i).str());
    if (i < 32) most.push_back(many.back());
  }
  const struct {
    std::vector<std::string> lines;
    bool valid;
    const char* why;
  } cases[] = {
      {{a + " MAX-AGE=60"}, true, "all on one line"},
      {{"pin-sha256=" + kA + " max-age=60 scope=domain mode=report"}, true, "names are case-insensitive"},
      {{"SHA256=" + kA + " TTL=60"}, true, "the second spelling"},
      {{"TTL=60 SHA256=" + kA}, true, "TTL in front"},
      {{a + " TTL=60", "PIN-SHA256=" + kB}, false, "a pin without lifetime"},
      {{a}, false, "no lifetime at all"},
      {{"MAX-AGE=60"}, false, "no pin while MAX-AGE is not 0"},
      {{"MAX-AGE=0"}, true, "withdrawal needs no pin"},
      {{a + " MAX-AGE=0"}, true, "withdrawal with a pin"},
      {{}, false, "nothing"},
      {{""}, false, "an empty line only"},
      {{a + " MAX-AGE=9999999999"}, true, "ten digits"},
      {{a + " MAX-AGE=10000000000"}, false, "eleven digits"},
      {{a + " MAX-AGE=-1"}, false, "negative"},
      {{a + " MAX-AGE=6x"}, false, "not digits"},
      {{a + " MAX-AGE="}, false, "empty"},
      {{a + " MAX-AGE"}, false, "no value"},
      {{a + " TTL="}, false, "empty TTL"},
      {{a + " MAX-AGE=60", "MAX-AGE=60"}, true, "the same value twice"},
      {{a + " MAX-AGE=60", "MAX-AGE=61"}, false, "MAX-AGE twice, different"},
      {{a + " MAX-AGE=60 SCOPE=HOST SCOPE=DOMAIN"}, false, "SCOPE twice, different"},
      {{a + " MAX-AGE=60 SCOPE=host SCOPE=HOST"}, true, "SCOPE twice, the same"},
      {{a + " MAX-AGE=60 MODE=REPORT", "MODE=ENFORCE"}, false, "MODE twice, different"},
      {{a + " MAX-AGE=60 RUA=mailto:a@x.test RUA=mailto:b@x.test"}, false, "RUA twice, different"},
      {{a + " MAX-AGE=60 RUA=mailto:a@x.test"}, true, "RUA mailto"},
      {{a + " MAX-AGE=60 RUA=https://x.test/r"}, true, "RUA https"},
      {{a + " MAX-AGE=60 RUA=http://x.test/r"}, false, "RUA http"},
      {{a + " MAX-AGE=60 RUA="}, false, "RUA empty"},
      {{a + " MAX-AGE=60 SCOPE=NET"}, false, "unknown scope"},
      {{a + " MAX-AGE=60 MODE=OFF"}, false, "unknown mode"},
      {{a + " MAX-AGE=60 FOO=BAR baz X-Y=1"}, true, "others are ignored"},
      {{a + " MAX-AGE=60 PIN-SHA512=abc SHA1=x"}, true, "other algorithms are skipped"},
      {{"PIN-SHA512=abc MAX-AGE=60"}, false, "a skipped pin is no pin"},
      {{"PIN-SHA256= MAX-AGE=60"}, false, "empty pin"},
      {{"PIN-SHA256=" + kA.substr(0, 40) + " MAX-AGE=60"}, false, "30 octets"},
      {{"PIN-SHA256=" + kA.substr(0, 43) + " MAX-AGE=60"}, false, "no padding"},
      {{"PIN-SHA256=" + kA.substr(0, 42) + "N= MAX-AGE=60"}, false, "unused bits not zero"},
      {{a + " MAX-AGE=60 F\xc3\xbc=1"}, false, "not printable ASCII"},
      {{a + " MAX-AGE=60", a}, true, "a pin twice counts once"},
      {most, true, "32 pins"},
      {many, false, "33 pins"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_advert(c.lines);
    EXPECT_EQ(parsed.advert.has_value(), c.valid) << c.why;
    EXPECT_TRUE(c.valid || !parsed.problems.empty()) << c.why;
  }
}

TEST(Advert, TtlOverridesMaxAgeForThePinsOfItsLine) {
  const std::vector<std::string> lines = {"SHA256=" + kA + " TTL=5", "SHA256=" + kB, "MAX-AGE=60"};
  const Advert a = parse_advert(lines).advert.value();
  EXPECT_EQ(a.lifetime(a.pins[0]), 5s);
  EXPECT_EQ(a.lifetime(a.pins[1]), 60s);
}

TEST(Advert, APinSaidTwiceHasTheShorterLifetime) {
  const std::string a = "PIN-SHA256=" + kA;
  const std::vector<std::string> cases[] = {{a + " TTL=60", a + " TTL=5"},
                                            {a + " TTL=60", a, "MAX-AGE=5"},
                                            {"MAX-AGE=5", a, a + " TTL=60"},
                                            {a + " TTL=5", a, "MAX-AGE=60"}};
  for (const auto& lines : cases) {
    const Advert advert = parse_advert(lines).advert.value();
    ASSERT_EQ(advert.pins.size(), 1U);
    EXPECT_EQ(advert.lifetime(advert.pins[0]), 5s) << testing::PrintToString(lines);
  }
}

TEST(Advert, WrittenAndReadBackAPinALineWithin512Octets) {
  Advert a = advert_of({}, 5184000s);
  for (int i = 0; i < 32; ++i)
    a.pins.push_back({pin(i), i % 2 ? std::optional(base::Seconds(i)) : std::nullopt});
  a.scope = Scope::domain;
  a.mode = Mode::report;
  a.rua = "mailto:tls@x.test";
  std::vector<std::string> behind;
  for (const std::string& line : ehlo_lines(a)) {
    EXPECT_LE(line.size() + 6, 512U);
    ASSERT_TRUE(line.starts_with("PKP "));
    behind.push_back(line.substr(4));
  }
  EXPECT_EQ(parse_advert(behind).advert, a);
}

TEST(Stsec, Grammar) {
  const struct {
    const char* text;
    std::optional<base::Seconds> max_age;
  } cases[] = {
      {"MAX-AGE=31536000", 31536000s}, {"max-age=0", 0s},       {"", {}}, {"MAX-AGE", {}}, {"MAX-AGE=", {}},
      {"MAX-AGE=12345678901", {}},     {"MAX-AGE=1 FOO=2", {}},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_stsec(c.text);
    EXPECT_EQ(parsed ? std::optional(parsed->max_age) : std::nullopt, c.max_age) << c.text;
  }
}

// A session whose leaf is key 1 under an issuer of key 9.
Session good(std::vector<int> matching = {1}) {
  Session s;
  s.tls_complete = s.clean_start = true;
  s.chain = {pin(1), pin(9)};
  for (const int n : matching) s.matching.push_back(pin(n));
  s.existing_matches = true;
  s.host = "mx.x.test";
  s.from = "192.0.2.1";
  return s;
}

const Binding kHost{Scope::host, "mx.x.test"};
const NotingSettings kSettings;

PinSet stored(const Noted& n) {
  EXPECT_EQ(n.change, Noted::Change::store) << n.why_not;
  return n.set.value();
}

TEST(Noting, EachOfTheConditions) {
  auto no_tls = good();
  no_tls.tls_complete = false;
  auto injected = good();
  injected.clean_start = false;
  const struct {
    Session session;
    Advert advert;
    const char* why_not;  // null: noted
    const char* rule;
  } cases[] = {
      {good(), advert_of({1, 2}), nullptr, "leaf pin and backup"},
      {good({9}), advert_of({9, 2}), nullptr, "CA pin and backup"},
      {no_tls, advert_of({1, 2}), "TLS", "condition 1"},
      {injected, advert_of({1, 2}), "TLS", "condition 1: buffer not empty"},
      {good({}), advert_of({3, 2}), "matches", "condition 2"},
      {good(), advert_of({1}), "backup", "condition 3: one pin"},
      {good(), advert_of({1, 9}), "backup", "condition 3: the other pin is in the chain"},
      {good({1, 7}), advert_of({1, 7}), "backup", "condition 3: a root that matched is in the chain built"},
  };
  for (const auto& c : cases) {
    const Noted n = note(kSettings, kHost, {}, c.advert, c.session, kStart);
    if (c.why_not) {
      EXPECT_EQ(n.change, Noted::Change::none) << c.rule;
      EXPECT_THAT(n.why_not, HasSubstr(c.why_not)) << c.rule;
    } else {
      EXPECT_EQ(n.change, Noted::Change::store) << c.rule << n.why_not;
    }
  }
}

TEST(Noting, Condition4NothingIsNotedAgainstAnEnforcedSet) {
  auto authenticated = good();
  authenticated.authenticated = true;
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), authenticated, kStart));
  auto other = good({5});
  other.existing_matches = false;
  other.authenticated = true;
  const Noted n = note(kSettings, kHost, set, advert_of({5, 6}), other, kStart + 1h - 1s);
  EXPECT_EQ(n.change, Noted::Change::none);
  EXPECT_THAT(n.why_not, HasSubstr("noted before"));
  // Withdrawal needs the same match.
  EXPECT_EQ(note(kSettings, kHost, set, advert_of({}, 0s), other, kStart).change, Noted::Change::none);
  // Once expired, the set says nothing.
  EXPECT_EQ(note(kSettings, kHost, set, advert_of({5, 6}), other, kStart + 1h).change, Noted::Change::store);
}

TEST(Noting, AuthenticatedIsEnforcedAtOnce) {
  auto s = good();
  s.authenticated = true;
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), s, kStart));
  EXPECT_EQ(set.basis, Basis::authenticated);
  EXPECT_TRUE(set.enforced(kStart));
  EXPECT_FALSE(set.enforced(kStart + 1h)) << "expired";
}

TEST(Noting, FirstUseIsProvisionalUntilThreeSessionsOverADay) {
  const Advert a = advert_of({1, 2}, 86400s * 10);
  PinSet set = stored(note(kSettings, kHost, {}, a, good(), kStart));
  EXPECT_EQ(set.basis, Basis::first_use);
  EXPECT_FALSE(set.enforced(kStart));
  for (int i = 0; i < 10; ++i) set = stored(note(kSettings, kHost, set, a, good(), kStart + 1h));
  EXPECT_EQ(set.stage, Stage::provisional) << "many sessions, not a day";
  set = stored(note(kSettings, kHost, set, a, good(), kStart + 24h - 1ms));
  EXPECT_EQ(set.stage, Stage::provisional) << "not quite a day";
  const Noted n = note(kSettings, kHost, set, a, good(), kStart + 24h);
  EXPECT_TRUE(stored(n).enforced(kStart + 24h));
  EXPECT_EQ(n.events.at(0).kind, Event::Kind::confirmed);

  PinSet two = stored(note(kSettings, kHost, {}, a, good(), kStart));
  two = stored(note(kSettings, kHost, two, a, good(), kStart + 48h));
  EXPECT_EQ(two.stage, Stage::provisional) << "a day, but two sessions";
}

TEST(Noting, AnotherSetWhileProvisionalBeginsAnew) {
  PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}, 864000s), good(), kStart));
  set = stored(note(kSettings, kHost, set, advert_of({1, 2}, 864000s), good(), kStart + 12h));
  set = stored(note(kSettings, kHost, set, advert_of({1, 3}, 864000s), good(), kStart + 24h));
  EXPECT_EQ(set.matched_sessions, 1U);
  EXPECT_EQ(set.stage, Stage::provisional);
}

TEST(Noting, ConflictWhileProvisionalDropsTheSet) {
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  auto other = good({5});
  other.existing_matches = false;
  for (const auto& advert : {std::optional<Advert>(), std::optional(advert_of({5, 6}))}) {
    const Noted n = note(kSettings, kHost, set, advert, other, kStart + 1s);
    EXPECT_EQ(n.change, Noted::Change::erase);
    EXPECT_EQ(n.events.at(0).kind, Event::Kind::dropped);
  }
}

TEST(Noting, LaterAuthenticationUpgradesAndIsNeverLost) {
  PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  auto s = good();
  s.authenticated = true;
  set = stored(note(kSettings, kHost, set, advert_of({1, 2}), s, kStart + 1s));
  EXPECT_TRUE(set.enforced(kStart + 1s));
  set = stored(note(kSettings, kHost, set, advert_of({2, 3}), good({2}), kStart + 2s));
  EXPECT_EQ(set.basis, Basis::authenticated) << "the session matched the set that spoke for it";
  EXPECT_TRUE(set.enforced(kStart + 2s));
  EXPECT_EQ(set.live_pins(kStart + 2s), (std::vector<Pin>{pin(2), pin(3)})) << "the new set replaces the old";
}

TEST(Noting, MaxAgeZeroWithdrawsUnderTheConditions) {
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  const Noted n = note(kSettings, kHost, set, advert_of({}, 0s), good({}), kStart + 1s);
  EXPECT_EQ(n.change, Noted::Change::erase);
  EXPECT_EQ(n.events.at(0).kind, Event::Kind::withdrawn);
  auto no_tls = good();
  no_tls.tls_complete = false;
  EXPECT_EQ(note(kSettings, kHost, set, advert_of({}, 0s), no_tls, kStart).change, Noted::Change::none);
}

// RFC 7469 2.3.1
TEST(Noting, MaxAgeZeroOfAnUnknownHostNotesNothing) {
  for (const Advert& advert : {advert_of({}, 0s), advert_of({1, 2}, 0s)}) {
    const Noted n = note(kSettings, kHost, {}, advert, good(), kStart);
    EXPECT_EQ(n.change, Noted::Change::none);
    EXPECT_THAT(n.events, testing::IsEmpty());
  }
}

// pinning-protocol 1.4: it is neither a new set nor a withdrawal, nor as if nothing had been advertised.
TEST(Noting, AnInvalidAdvertChangesNothing) {
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  auto session = good();
  session.invalid_advert = true;
  const Noted n = note(kSettings, kHost, set, {}, session, kStart + 1s);
  EXPECT_EQ(n.change, Noted::Change::none);
  EXPECT_THAT(n.events, testing::IsEmpty());
}

TEST(Noting, LifetimesAreClampedAndTtlIsAPins) {
  Advert a = advert_of({1, 2}, base::Seconds(9'999'999'999));
  a.pins[0].ttl = 60s;
  const PinSet set = stored(note(kSettings, kHost, {}, a, good(), kStart));
  EXPECT_EQ(set.pins[0].expires, kStart + 60s);
  EXPECT_EQ(set.pins[1].expires, kStart + std::chrono::days(60));
  EXPECT_EQ(set.live_pins(kStart + 60s), std::vector<Pin>{pin(2)});
  EXPECT_FALSE(set.expired(kStart + 60s));
  EXPECT_TRUE(set.expired(kStart + std::chrono::days(60)));
}

TEST(Noting, ReportModeIsNeverEnforced) {
  Advert a = advert_of({1, 2});
  a.mode = Mode::report;
  auto s = good();
  s.authenticated = true;
  EXPECT_FALSE(stored(note(kSettings, kHost, {}, a, s, kStart)).enforced(kStart));
}

TEST(Noting, NoAdvertLeavesTheRecordAndIsAnEvent) {
  const PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  const Noted n = note(kSettings, kHost, set, {}, good(), kStart + 1s);
  EXPECT_EQ(n.change, Noted::Change::none);
  EXPECT_EQ(n.events.at(0).kind, Event::Kind::not_advertised);
}

TEST(Noting, PolicyOfTheSender) {
  auto authenticated = good();
  authenticated.authenticated = true;
  const struct {
    Policy policy;
    Session session;
    bool noted, enforced;
  } cases[] = {
      {Policy::off, authenticated, false, false},
      {Policy::authenticated, good(), false, false},
      {Policy::authenticated, authenticated, true, true},
      {Policy::confirmed, good(), true, false},
      {Policy::first_use, good(), true, true},
  };
  for (const auto& c : cases) {
    NotingSettings settings;
    settings.policy = c.policy;
    const Noted n = note(settings, kHost, {}, advert_of({1, 2}), c.session, kStart);
    EXPECT_EQ(n.change == Noted::Change::store, c.noted);
    if (c.noted) {
      EXPECT_EQ(n.set->enforced(kStart), c.enforced);
    }
  }
}

TEST(Noting, DomainSetRecordsEveryHostThatMatched) {
  const Binding domain{Scope::domain, "x.test"};
  PinSet set = stored(note(kSettings, domain, {}, advert_of({1, 2}), good(), kStart));
  auto second = good();
  second.host = "mx2.x.test";
  set = stored(note(kSettings, domain, set, advert_of({1, 2}), second, kStart));
  EXPECT_THAT(set.hosts, testing::ElementsAre("mx.x.test", "mx2.x.test"));
  EXPECT_EQ(set.key(), "domain/x.test");
}

TEST(Noting, OperatorsPinsAreNotReplaced) {
  PinSet set = stored(note(kSettings, kHost, {}, advert_of({1, 2}), good(), kStart));
  set.basis = Basis::operator_rule;
  EXPECT_EQ(note(kSettings, kHost, set, advert_of({1, 3}), good(), kStart).change, Noted::Change::none);
  EXPECT_EQ(note(kSettings, kHost, set, advert_of({}, 0s), good(), kStart).change, Noted::Change::none);
}

TEST(Noting, StsecIsClampedAndZeroForgets) {
  const auto r = note_stsec(kSettings, "mx.x.test", {base::Seconds(9'999'999'999)}, kStart);
  ASSERT_TRUE(r);
  EXPECT_TRUE(r->in_force(kStart + std::chrono::days(366) - 1s));
  EXPECT_FALSE(r->in_force(kStart + std::chrono::days(366)));
  EXPECT_FALSE(note_stsec(kSettings, "mx.x.test", {0s}, kStart));
}

TEST(OwnAdvert, Section7) {
  EXPECT_TRUE(check_own_advert(advert_of({1, 2}), {pin(1), pin(9)}));
  EXPECT_THAT(check_own_advert(advert_of({3, 2}), {pin(1), pin(9)}).error().detail, HasSubstr("matches"));
  EXPECT_THAT(check_own_advert(advert_of({1}), {pin(1), pin(9)}).error().detail, HasSubstr("backup"));
  EXPECT_THAT(check_own_advert(advert_of({1, 9}), {pin(1), pin(9)}).error().detail, HasSubstr("backup"));
}

TEST(Record, EncodedAndDecodedAndNeverFromACut) {
  PinSet set = stored(note(kSettings, {Scope::domain, "x.test"}, {}, advert_of({1, 2}), good(), kStart));
  set.rua = "mailto:a@x.test";
  const std::string record = set.encode();
  EXPECT_EQ(PinSet::decode(record).value(), set);
  for (std::size_t n = 0; n < record.size(); ++n) EXPECT_FALSE(PinSet::decode(record.substr(0, n)));
  EXPECT_FALSE(PinSet::decode(record + "x"));
  const StsecRecord s{"mx.x.test", kStart, kStart + 1h};
  EXPECT_EQ(StsecRecord::decode(s.encode())->expires, s.expires);
  EXPECT_FALSE(StsecRecord::decode(s.encode().substr(1)));
}

TEST(Lint, CapturedEhloTextAsItIsFound) {
  const std::string text = "250-mx.test\r\n250-PIPELINING\r\n250-PKP PIN-SHA256=" + kA +
                           "\r\npkp SHA256=" + kB +
                           "\n250-PKP MAX-AGE=60 SCOPE=DOMAIN\r\n250 STSEC MAX-AGE=5\r\n";
  const Lint l = lint(text);
  EXPECT_TRUE(l.valid) << testing::PrintToString(l.problems);
  EXPECT_EQ(l.parsed.advert->pins.size(), 2U);
  EXPECT_EQ(l.stsec->max_age, 5s);
  EXPECT_FALSE(lint("250 PIPELINING\r\n").valid);
  EXPECT_FALSE(lint("").valid);
  EXPECT_THAT(lint("PKP MAX-AGE=60 PIN-SHA256=" + kA + " X=" + std::string(600, 'x')).problems,
              testing::ElementsAre(HasSubstr("line 1")));
}

TEST(Lint, PinFiles) {
  EXPECT_EQ(read_pins(kA + "\n# comment\n" + kB + "  # second\r\n")->size(), 2U);
  EXPECT_EQ(read_pins("250-PKP PIN-SHA256=" + kA + "\r\n250-PKP MAX-AGE=60\r\n")->size(), 1U);
  EXPECT_EQ(read_pins("pin-sha256: " + kA)->size(), 1U);
  EXPECT_EQ(read_pins("Public-Key-Pins: pin-sha256=\"" + kA + "\"; max-age=5")->size(), 1U);
  EXPECT_THAT(read_pins(kA + "\ngarbage\n").error().detail, HasSubstr("line 2"));
  EXPECT_FALSE(read_pins(""));
  EXPECT_FALSE(read_pins("PKP MAX-AGE=60"));
}

}  // namespace
}  // namespace pinnace::pins
