#include "sts/next_step.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::sts {
namespace {

using namespace std::chrono_literals;
using Act = NextStep::Act;
using Txt = TxtSeen::Kind;
using testing::HasSubstr;

constexpr Occasion kDelivery = Occasion::delivery, kCheck = Occasion::check, kRefresh = Occasion::refresh;
constexpr base::Seconds kWeek = std::chrono::hours(168);

Cached policy(Mode mode, base::Time fetched) {
  Cached c;
  c.domain = "x.test";
  c.id = "1";
  c.policy.mode = mode;
  c.policy.max_age = kWeek;
  c.fetched = fetched;
  return c;
}

// RFC 8461 3.3, 5.1, 10.2
TEST(NextStep, FromWhatIsCachedAndWhatTheTxtRecordSays) {
  const base::ManualClock clock(base::Time(1'000'000h));
  constexpr int kNone = -1;  // nothing cached; else seconds since the fetch
  const struct {
    const char* why;
    Occasion occasion;
    int age;
    Mode mode;
    Txt txt;
    const char* id;
    int failed;  // seconds since a fetch failed
    Act act;
    bool paused = false;
  } cases[] = {
      {"no record, no policy", kDelivery, kNone, Mode::none, Txt::none, "", kNone, Act::none},
      {"a record: fetched", kDelivery, kNone, Mode::none, Txt::record, "1", kNone, Act::fetch},
      {"no answer is as if there were none", kDelivery, kNone, Mode::none, Txt::failure, "", kNone,
       Act::none},
      {"a bogus one is not", kDelivery, kNone, Mode::none, Txt::bogus, "", kNone, Act::failure},
      {"a fetch failed just now", kDelivery, kNone, Mode::none, Txt::record, "1", 0, Act::none, true},
      {"within five minutes", kDelivery, kNone, Mode::none, Txt::record, "1", 299, Act::none, true},
      {"after five minutes", kDelivery, kNone, Mode::none, Txt::record, "1", 300, Act::fetch},
      {"the clock was set back", kDelivery, kNone, Mode::none, Txt::record, "1", -5000, Act::fetch},
      {"the same id", kDelivery, 1000, Mode::enforce, Txt::record, "1", kNone, Act::use_cached},
      {"another id", kDelivery, 1000, Mode::enforce, Txt::record, "2", kNone, Act::fetch},
      {"another id, the fetch failed", kDelivery, 1000, Mode::enforce, Txt::record, "2", 10, Act::use_cached,
       true},
      {"the record has gone", kDelivery, 1000, Mode::enforce, Txt::none, "", kNone, Act::use_cached},
      {"no answer", kDelivery, 1000, Mode::enforce, Txt::failure, "", kNone, Act::use_cached},
      {"a bogus answer", kDelivery, 1000, Mode::enforce, Txt::bogus, "", kNone, Act::use_cached},
      {"mode none is kept like another", kDelivery, 1000, Mode::none, Txt::record, "1", kNone,
       Act::use_cached},
      {"its last second", kDelivery, 604799, Mode::enforce, Txt::none, "", kNone, Act::use_cached},
      {"expired, no record", kDelivery, 604800, Mode::enforce, Txt::none, "", kNone, Act::none},
      {"expired, the same id", kDelivery, 604800, Mode::enforce, Txt::record, "1", kNone, Act::fetch},
      {"expired, a bogus answer", kDelivery, 604800, Mode::enforce, Txt::bogus, "", kNone, Act::failure},
      {"expired, the fetch failed", kDelivery, 604800, Mode::enforce, Txt::record, "1", 10, Act::none, true},
      {"a check: the same id, fetched long ago", kCheck, 300, Mode::enforce, Txt::record, "1", kNone,
       Act::fetch},
      {"the same id, fetched just now", kCheck, 299, Mode::enforce, Txt::record, "1", kNone, Act::use_cached},
      {"another id, fetched just now", kCheck, 1, Mode::enforce, Txt::record, "2", kNone, Act::fetch},
      {"a check does not break the pause", kCheck, 1000, Mode::enforce, Txt::record, "2", 10, Act::use_cached,
       true},
      {"a check without a record", kCheck, 1000, Mode::enforce, Txt::none, "", kNone, Act::use_cached},
      {"a check, nothing cached", kCheck, kNone, Mode::none, Txt::record, "1", kNone, Act::fetch},
      {"a refresh", kRefresh, 1000, Mode::enforce, Txt::record, "1", kNone, Act::fetch},
      {"a refresh does not heed a record that has gone", kRefresh, 1000, Mode::enforce, Txt::none, "", kNone,
       Act::fetch},
      {"nor one out of reach", kRefresh, 1000, Mode::enforce, Txt::failure, "", kNone, Act::fetch},
      {"nor a bogus one", kRefresh, 1000, Mode::testing, Txt::bogus, "", kNone, Act::fetch},
      {"a policy given up, its record gone", kRefresh, 1000, Mode::none, Txt::none, "", kNone,
       Act::use_cached},
      {"a policy given up, its record there", kRefresh, 1000, Mode::none, Txt::record, "1", kNone,
       Act::fetch},
      {"a refresh does not break the pause", kRefresh, 1000, Mode::enforce, Txt::record, "1", 10,
       Act::use_cached, true},
      {"expired meanwhile, no record", kRefresh, 604800, Mode::enforce, Txt::none, "", kNone, Act::none},
  };
  for (const auto& c : cases) {
    const base::Time now = clock.now();
    std::optional<Cached> cached;
    if (c.age != kNone) cached = policy(c.mode, now - base::Seconds(c.age));
    std::optional<base::Time> failed;
    if (c.failed != kNone) failed = now - base::Seconds(c.failed);
    const NextStep step =
        next_step(c.occasion, cached ? &*cached : nullptr, {c.txt, c.id, "the reason"}, failed, now);
    EXPECT_EQ(step.act, c.act) << c.why;
    EXPECT_EQ(step.paused, c.paused) << c.why;
    const bool told = step.act != Act::fetch && (c.txt != Txt::record || step.paused);
    EXPECT_EQ(!step.detail.empty(), told) << c.why;
    if (c.txt != Txt::record && told) EXPECT_THAT(step.detail, HasSubstr("the reason")) << c.why;
  }
}

TEST(RefreshTime, LongBeforeThePolicyExpires) {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  const struct {
    base::Seconds max_age;
    base::Seconds least, most;
  } cases[] = {
      {kMaxAge, 12h, 24h}, {kWeek, 12h, 24h},   {30h, 12h, 24h}, {24h, 12h, 19h + 12min},
      {10h, 5h, 8h},       {1000s, 500s, 800s}, {10s, 5s, 8s},   {0s, 0s, 0s},
  };
  const base::Time fetched(1'000'000h);
  for (const auto& c : cases) {
    bool differ = c.max_age == 0s;
    for (std::uint64_t random = 1; random < kMost / 7; random *= 7) {
      const base::Time at = refresh_time(fetched, c.max_age, random);
      EXPECT_GE(at, fetched + c.least) << c.max_age.count();
      EXPECT_LE(at, fetched + c.most) << c.max_age.count();
      differ |= at != refresh_time(fetched, c.max_age, 1);
    }
    EXPECT_TRUE(differ) << c.max_age.count();
    const auto span = static_cast<std::uint64_t>(base::Milliseconds(c.most - c.least).count());
    EXPECT_EQ(refresh_time(fetched, c.max_age, 0), fetched + c.least) << c.max_age.count();
    EXPECT_EQ(refresh_time(fetched, c.max_age, span), fetched + c.most) << c.max_age.count();
  }
}

TEST(RetryTime, SoonerWhereThePolicyEndsSoon) {
  const base::Time now(1'000'000h);
  EXPECT_EQ(retry_time(now, now + 168h, 0), now + 30min);
  EXPECT_EQ(retry_time(now, now + 168h, 1'800'000), now + 1h);
  EXPECT_EQ(retry_time(now, now + 20min, 0), now + 10min);
  EXPECT_EQ(retry_time(now, now + 1min, 0), now + kFetchPause);
  EXPECT_EQ(retry_time(now, now - 1min, 7), now + kFetchPause);
}

}  // namespace
}  // namespace pinnace::sts
