#include "pins/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pins/rotation.hpp"

namespace pinnace::pins {
namespace {

using namespace std::chrono_literals;
using Act = RotationStep::Act;
using Days = std::chrono::days;
using testing::HasSubstr;

const base::Time kNow = base::Time(base::Seconds(1'767'225'600));

Pin pin(int n) {
  Pin p;
  p.sha256[0] = static_cast<std::uint8_t>(n);
  return p;
}

Advert advert(std::vector<int> pins, base::Seconds max_age = Days(1), Mode mode = Mode::enforce) {
  Advert a;
  for (const int n : pins) a.pins.push_back({pin(n), std::nullopt});
  a.max_age = max_age;
  a.mode = mode;
  return a;
}

std::vector<Vouchers> shown(std::vector<std::vector<int>> certificates) {
  std::vector<Vouchers> out;
  for (const auto& keys : certificates) {
    out.emplace_back();
    for (const int n : keys) out.back().push_back(pin(n));
  }
  return out;
}

TEST(Ledger, AnAdvertMayBeSaidForTwiceItsMarginAndNoLonger) {
  Ledger ledger;
  const Advert a = advert({1, 2});
  EXPECT_FALSE(ledger.covers(a, kNow));
  ASSERT_TRUE(ledger.cover(a, kNow));
  EXPECT_TRUE(ledger.covers(a, kNow));
  EXPECT_TRUE(ledger.covers(a, kNow + 2h));
  EXPECT_FALSE(ledger.covers(a, kNow + 2h + 1ms));
  EXPECT_TRUE(ledger.covers(advert({2, 1}), kNow)) << "the order of pins says nothing";
  for (const Advert& other : {advert({1, 3}), advert({1, 2}, Days(2)), advert({1, 2}, Days(1), Mode::report)})
    EXPECT_FALSE(ledger.covers(other, kNow));
  EXPECT_TRUE(ledger.covers(advert({1, 2}, 0s), kNow)) << "a withdrawal promises nothing";
}

// pinning-protocol 7: which certificates a promise allows, and from when on it is over.
TEST(Ledger, WhatAPromiseAllows) {
  const struct {
    Advert promised;
    std::vector<std::vector<int>> certificates;
    bool allowed;
    const char* why;
  } cases[] = {
      {advert({1, 2}), {{1}}, true, "the same key"},
      {advert({1, 2}), {{2}}, true, "the backup"},
      {advert({1, 2}), {{3}}, false, "a key that was never promised"},
      {advert({1, 9}), {{3, 9}}, true, "a CA above it is pinned"},
      {advert({1, 2}), {{1}, {3}}, false, "a second certificate of which nobody was told"},
      {advert({1, 2}), {{1}, {2}}, true, "both are promised"},
      {advert({1, 2}), {}, false, "no certificate at all"},
      {advert({1, 2}, Days(1), Mode::report), {{3}}, true, "MODE=REPORT holds nobody's mail"},
      {advert({1, 2}, 0s), {{3}}, true, "MAX-AGE=0 promises nothing"},
  };
  for (const auto& c : cases) {
    Ledger ledger;
    ASSERT_TRUE(ledger.cover(c.promised, kNow));
    const auto certificates = shown(c.certificates);
    const auto obstacle = ledger.obstacle(certificates, kNow);
    EXPECT_EQ(!obstacle, c.allowed) << c.why;
    if (!obstacle) continue;
    // Said for two hours, held for a day, and an hour for the clocks.
    EXPECT_EQ(obstacle->until, kNow + 27h) << c.why;
    EXPECT_TRUE(ledger.obstacle(certificates, kNow + 27h - 1ms)) << c.why;
    EXPECT_FALSE(ledger.obstacle(certificates, kNow + 27h)) << c.why;
  }
}

TEST(Ledger, WithdrawalTakesNothingBackOfWhatOthersHold) {
  Ledger ledger;
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow));
  ASSERT_TRUE(ledger.cover(advert({1, 2}, 0s), kNow + 1h));
  EXPECT_TRUE(ledger.obstacle(shown({{3}}), kNow + 1h));
}

TEST(Ledger, TheLastOfSeveralPromisesSaysWhen) {
  Ledger ledger;
  ASSERT_TRUE(ledger.cover(advert({1, 2}, Days(60)), kNow));
  ASSERT_TRUE(ledger.cover(advert({1, 2}, Days(1)), kNow + 1h));
  ASSERT_TRUE(ledger.cover(advert({1, 2, 3}, Days(60)), kNow + 2h));
  const auto obstacle = ledger.obstacle(shown({{3}}), kNow + 2h);
  ASSERT_TRUE(obstacle);
  EXPECT_EQ(obstacle->promises, 2U);
  EXPECT_EQ(obstacle->until, kNow + Days(60) + 3h);
  EXPECT_EQ(obstacle->promise.pins, (std::vector{pin(1), pin(2)}));
}

TEST(Ledger, WhatIsBrokenStandsInNobodysWayButWhatIsSaidAnewDoes) {
  Ledger ledger;
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow));
  ASSERT_TRUE(ledger.cover(advert({2, 3}), kNow));
  EXPECT_EQ(ledger.break_for(shown({{3}}), kNow).size(), 1U);
  EXPECT_FALSE(ledger.obstacle(shown({{3}}), kNow));
  EXPECT_TRUE(ledger.obstacle(shown({{4}}), kNow)) << "the other promise holds";
  EXPECT_FALSE(ledger.covers(advert({1, 2}), kNow)) << "a broken promise is not made again";
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow));
  EXPECT_TRUE(ledger.obstacle(shown({{3}}), kNow));
}

TEST(Ledger, ALostLedgerIsAssumedToHavePromisedTheLiveKeyAlone) {
  Ledger ledger;
  ledger.assume({pin(1)}, Days(60), kNow);
  EXPECT_FALSE(ledger.obstacle(shown({{1}}), kNow));
  EXPECT_TRUE(ledger.obstacle(shown({{2}}), kNow + Days(60)));
  EXPECT_FALSE(ledger.obstacle(shown({{2}}), kNow + Days(60) + 1h));
  const Schedule automatic{Days(60), {Days(1), Days(7)}, std::nullopt};
  EXPECT_EQ(ledger.terms(automatic, kNow), (Terms{Days(1), Mode::enforce}));
  ledger.assume({pin(1)}, Days(60), kNow + 1h);
  EXPECT_EQ(ledger.promises().size(), 1U) << "assumed twice it is one promise";
}

TEST(Ledger, TheRampRisesWithRenewalsThatSucceeded) {
  const Schedule s{Days(30), {Days(1), Days(7), Days(60)}, std::nullopt};
  Ledger ledger;
  ledger.serve("first", kNow);
  EXPECT_EQ(ledger.terms(s, kNow), (Terms{Days(1), Mode::report}));
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow));
  EXPECT_EQ(ledger.terms(s, kNow + Days(7) - 1s), (Terms{Days(1), Mode::report}));
  EXPECT_EQ(ledger.terms(s, kNow + Days(7)), (Terms{Days(1), Mode::enforce})) << "no renewal yet";
  ledger.serve("first", kNow + Days(8));
  EXPECT_EQ(ledger.terms(s, kNow + Days(8)).max_age, Days(1)) << "the same certificate again is none";
  ledger.serve("second", kNow + Days(9));
  EXPECT_EQ(ledger.terms(s, kNow + Days(9)).max_age, Days(7));
  ledger.serve("third", kNow + Days(9) + 1h);
  EXPECT_EQ(ledger.terms(s, kNow + Days(15)).max_age, Days(7)) << "not before it lasted as long";
  EXPECT_EQ(ledger.terms(s, kNow + Days(16)).max_age, Days(30)) << "never beyond max_age";
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow + Days(16)));
  ledger.break_for(shown({{3}}), kNow + Days(16));
  EXPECT_EQ(ledger.terms(s, kNow + Days(16)), (Terms{Days(1), Mode::enforce})) << "a break begins it anew";
  EXPECT_EQ(ledger.terms({Days(60), {}, Mode::enforce}, kNow), (Terms{Days(60), Mode::enforce}));
}

TEST(Ledger, IsReadAsItWasWritten) {
  Ledger ledger;
  ledger.serve("digest", kNow);
  ASSERT_TRUE(ledger.cover(advert({1, 2}), kNow));
  ledger.break_for(shown({{3}}), kNow);
  ASSERT_TRUE(ledger.cover(advert({3, 2}, Days(7), Mode::report), kNow + 1h));
  ledger.assume({pin(3)}, Days(60), kNow + 1h);
  const std::string record = ledger.encode();
  EXPECT_EQ(Ledger::decode(record).value(), ledger);
  for (std::size_t n = 0; n < record.size(); ++n)
    EXPECT_FALSE(Ledger::decode(record.substr(0, n))) << n << " octets of it";
  EXPECT_FALSE(Ledger::decode(record + "x"));
  std::string newer = record;
  newer[0] = 2;
  EXPECT_THAT(Ledger::decode(newer).error().detail, HasSubstr("newer pinnace"));
}

// However often the operator changes what is promised.
TEST(Ledger, IsBounded) {
  Ledger ledger;
  for (std::size_t i = 0; i < Ledger::kMostPromises; ++i)
    ASSERT_TRUE(ledger.cover(advert({1, 2}, base::Seconds(3600 + static_cast<long>(i))), kNow));
  EXPECT_FALSE(ledger.cover(advert({1, 2}, Days(1)), kNow)) << "then nothing more is promised";
  EXPECT_TRUE(ledger.cover(advert({1, 2}, 3600s), kNow)) << "but what was";
  EXPECT_TRUE(ledger.cover(advert({1, 2}, Days(1)), kNow + Days(1))) << "and all is well when they are over";
}

// pinning-protocol 8.2, from the first key to the end of the first change.
TEST(Rotation, StepByStep) {
  std::vector<Key> keys = {{"A", "ecdsa", pin(1), kNow, true, false, true, true}};
  Ledger ledger;
  base::Time now = kNow;
  const auto acts = [&] {
    std::vector<std::string> out;
    for (const RotationStep& s : rotation(keys, "ecdsa", ledger, 1h, now))
      out.push_back(std::string(to_string(s.act)) + " " + s.key + " " +
                    base::format_duration(std::chrono::duration_cast<base::Seconds>(s.when - kNow)));
    return out;
  };
  using Acts = std::vector<std::string>;
  EXPECT_EQ(acts(), (Acts{"make_backup ecdsa 0s"}));
  keys.push_back({"B", "ecdsa", pin(2), kNow + 1s, false, false, false, false});
  EXPECT_EQ(acts(), (Acts{"make_next ecdsa 0s", "load B 0s"})) << "it is not promised yet";
  ASSERT_TRUE(ledger.cover(advert({1, 2}), now));
  EXPECT_EQ(acts(), (Acts{"make_next ecdsa 0s", "bring B 0s", "certify B 0s", "swap B 2h"}))
      << "its TLSA record must be known everywhere";
  keys.push_back({"C", "ecdsa", pin(3), kNow + 2s, false, false, true, false});
  keys[1].at_hand = keys[1].certificate = true;
  now = kNow + 1h;
  ASSERT_TRUE(ledger.cover(advert({1, 2, 3}), now));
  EXPECT_EQ(acts(), (Acts{"swap B 2h"})) << "the oldest backup is the next";
  now = kNow + 3h;
  EXPECT_EQ(acts(), (Acts{"swap B 3h"}));
  keys[0].live = false;
  keys[0].retired = true;
  keys[1].live = true;
  ASSERT_TRUE(ledger.cover(advert({2, 3}), now));
  // {A, B} was said until hour 2, is held for a day, and an hour for the clocks: then all hold B and C.
  EXPECT_EQ(acts(), (Acts{"destroy A 1d3h"}));
  EXPECT_TRUE(rotation(keys, "rsa", ledger, 1h, now).empty());
}

// A backup that was promised yesterday is not known to those who came the day before.
TEST(Rotation, ABackupThatIsNewerThanAPromiseWaitsForItsEnd) {
  Ledger ledger;
  ASSERT_TRUE(ledger.cover(advert({1, 2}, Days(60)), kNow));
  ASSERT_TRUE(ledger.cover(advert({1, 3, 4}, Days(60)), kNow + 3h));
  const std::vector<Key> keys = {{"A", "ecdsa", pin(1), kNow, true, false, true, true},
                                 {"C", "ecdsa", pin(3), kNow, false, false, true, true},
                                 {"D", "ecdsa", pin(4), kNow + 1s, false, false, true, false}};
  const auto steps = rotation(keys, "ecdsa", ledger, 1h, kNow + 6h);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].act, Act::swap);
  EXPECT_EQ(steps[0].when, kNow + Days(60) + 3h);
  EXPECT_THAT(steps[0].why, HasSubstr("1 promise without it"));
}

}  // namespace
}  // namespace pinnace::pins
