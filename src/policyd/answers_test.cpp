#include "policyd/answers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "policyd/hash_index.hpp"
#include "policyd/keyed_hash.hpp"
#include "policyd/texts.hpp"

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;

constexpr base::Time kStart{base::Seconds(1'790'000'000)};
constexpr std::size_t kRoom = 512 << 10;  // one shard

Answer answer(std::string reply, base::Seconds refresh = 60s, base::Seconds usable = 3600s) {
  return {std::move(reply), kStart + refresh, kStart + usable, false, kStart};
}
Answer kept(std::string reply, base::Seconds refresh = 60s, base::Seconds usable = 3600s) {
  return {std::move(reply), kStart + refresh, kStart + usable, true, kStart};
}

std::string found(Answers& answers, std::string_view domain, base::Time now = kStart, Profile profile = 0) {
  std::string out;
  return answers.find(profile, domain, now, out) ? out : "none";
}

std::vector<std::string> due(Answers& answers, base::Time now, std::size_t limit = 100) {
  std::vector<std::string> out;
  for (const auto& d : answers.due(now, limit)) out.push_back(d.domain);
  return out;
}
using Names = std::vector<std::string>;

TEST(Answers, AreFoundByProfileAndDomain) {
  Answers answers(kRoom);
  EXPECT_TRUE(answers.put(0, "a.test", answer("OK encrypt")));
  EXPECT_TRUE(answers.put(1, "a.test", answer("NOTFOUND ")));
  EXPECT_TRUE(answers.put(0, "[a.test]:587", answer("OK encrypt")));
  EXPECT_EQ(found(answers, "a.test"), "OK encrypt");
  EXPECT_EQ(found(answers, "a.test", kStart, 1), "NOTFOUND ");
  EXPECT_EQ(found(answers, "[a.test]:587"), "OK encrypt");
  EXPECT_EQ(found(answers, "a.tes"), "none");
  EXPECT_EQ(found(answers, "a.test", kStart, 2), "none");
  EXPECT_EQ(answers.size(), 3U);
  std::string out = "before ";
  ASSERT_TRUE(answers.find(0, "a.test", kStart, out));
  EXPECT_EQ(out, "before OK encrypt");
}

TEST(Answers, TheLastOnePutCounts) {
  Answers answers(kRoom);
  answers.put(0, "a.test", answer("OK encrypt"));
  const std::size_t one = answers.octets();
  answers.put(0, "a.test", answer("OK secure!"));
  EXPECT_EQ(found(answers, "a.test"), "OK secure!");
  EXPECT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers.octets(), one);
}

TEST(Answers, NoneIsGivenPastItsTime) {
  Answers answers(kRoom);
  answers.put(0, "a.test", answer("OK encrypt", 10s, 20s));
  EXPECT_EQ(found(answers, "a.test", kStart + 15s), "OK encrypt");
  EXPECT_EQ(found(answers, "a.test", kStart + 19'999ms), "OK encrypt");
  EXPECT_EQ(found(answers, "a.test", kStart + 20s), "none");
  // Down to the second: less than a second too early, never too late.
  answers.put(0, "b.test", {"OK encrypt", kStart, kStart + 20'900ms, false, kStart});
  EXPECT_EQ(found(answers, "b.test", kStart + 20'950ms), "none");
  answers.put(0, "ever.test", {"OK encrypt", base::Time::max(), base::Time::max(), false, kStart});
  EXPECT_EQ(found(answers, "ever.test", kStart + std::chrono::years(10)), "OK encrypt");
  answers.put(0, "never.test", {"OK encrypt", base::Time::min(), base::Time::min(), false, kStart});
  EXPECT_EQ(found(answers, "never.test"), "none");
}

TEST(Answers, EraseAndClear) {
  Answers answers(kRoom);
  answers.put(0, "a.test", answer("OK encrypt"));
  answers.put(0, "b.test", kept("OK encrypt"));
  answers.put(0, "c.test", kept("OK dane-only"));
  answers.erase(0, "a.test");
  answers.erase(0, "a.test");
  answers.erase(1, "b.test");
  EXPECT_EQ(found(answers, "a.test"), "none");
  EXPECT_EQ(found(answers, "b.test"), "OK encrypt");
  EXPECT_EQ(answers.size(), 2U);
  answers.clear();
  EXPECT_EQ(found(answers, "b.test"), "none");
  EXPECT_EQ(answers.size(), 0U);
  EXPECT_EQ(answers.octets(), 0U);
  EXPECT_EQ(due(answers, kStart + 1h), Names{});
}

TEST(Answers, WhatWasAskedForOrIsKeptIsDueOnce) {
  Answers answers(kRoom);
  answers.put(0, "asked.test", answer("OK encrypt", 60s));
  answers.put(0, "unasked.test", answer("OK encrypt", 60s));
  answers.put(0, "kept.test", kept("OK encrypt", 70s));
  found(answers, "asked.test");
  EXPECT_EQ(due(answers, kStart + 59s), Names{});
  EXPECT_EQ(due(answers, kStart + 60s), Names{"asked.test"});
  EXPECT_EQ(due(answers, kStart + 80s), Names{"kept.test"});
  EXPECT_EQ(due(answers, kStart + 90s), Names{});
  // Given to be looked up, it is still there meanwhile, and asking again does not make it due again.
  EXPECT_EQ(found(answers, "asked.test", kStart + 90s), "OK encrypt");
  EXPECT_EQ(due(answers, kStart + 100s), Names{});
  // Put again, and asked for before that only: nobody wants it any more.
  answers.put(0, "asked.test", answer("OK encrypt", 160s));
  EXPECT_EQ(due(answers, kStart + 200s), Names{});
}

TEST(Answers, WhatIsAskedForAfterItsTimeIsDueThen) {
  Answers answers(kRoom);
  answers.put(0, "a.test", answer("OK encrypt", 60s));
  EXPECT_EQ(due(answers, kStart + 100s), Names{});
  EXPECT_EQ(found(answers, "a.test", kStart + 200s), "OK encrypt");
  EXPECT_EQ(due(answers, kStart + 200s), Names{"a.test"});
  EXPECT_EQ(due(answers, kStart + 200s), Names{});
}

TEST(Answers, TheLongestOverdueAreDueFirst) {
  for (const std::size_t room : {kRoom, std::size_t{64} << 20}) {  // one shard, and 64
    Answers answers(room);
    std::mt19937 random(1);
    std::vector<int> seconds(500);
    for (int i = 0; i < 500; ++i) seconds[static_cast<std::size_t>(i)] = i;
    std::shuffle(seconds.begin(), seconds.end(), random);
    for (const int s : seconds)
      answers.put(0, std::to_string(s) + ".test", kept("OK encrypt", base::Seconds(s)));
    answers.erase(0, "7.test");
    answers.put(0, "3.test", kept("OK encrypt", 450s));
    EXPECT_EQ(due(answers, kStart + 9s, 4), (Names{"0.test", "1.test", "2.test", "4.test"}));
    EXPECT_EQ(due(answers, kStart + 9s, 4), (Names{"5.test", "6.test", "8.test", "9.test"}));
    const Names rest = due(answers, kStart + 1h, 1000);
    ASSERT_EQ(rest.size(), 491U);
    EXPECT_EQ(rest[0], "10.test");
    EXPECT_EQ(rest[489], "498.test");
    EXPECT_TRUE(rest[440] == "3.test" || rest[441] == "3.test") << rest[440];
  }
}

TEST(Answers, WhatCanBeGivenNoMoreIsDropped) {
  Answers answers(kRoom);
  for (int i = 0; i < 1000; ++i) {
    answers.put(0, std::to_string(i) + ".test", answer("OK encrypt", 10s, i % 2 ? 100s : 200s));
  }
  answers.drop_old(kStart + 99s);
  EXPECT_EQ(answers.size(), 1000U);
  answers.drop_old(kStart + 100s);
  EXPECT_LT(answers.size(), 1000U);
  EXPECT_GT(answers.size(), 500U) << "a bounded part at a time";
  for (int i = 0; i < 10; ++i) answers.drop_old(kStart + 100s);
  EXPECT_EQ(answers.size(), 500U);
  EXPECT_EQ(found(answers, "2.test", kStart + 100s), "OK encrypt");
  for (int i = 0; i < 10; ++i) answers.drop_old(kStart + 200s);
  EXPECT_EQ(answers.size(), 0U);
  EXPECT_EQ(answers.octets(), 0U);
}

// With room for about a hundred.
constexpr std::size_t kLittle = 10'000;
std::string name(int i) { return "domain-" + std::to_string(i) + ".test"; }

TEST(Answers, TheLongestUnaskedIsEvictedFirst) {
  Answers answers(kLittle);
  for (int i = 0; i < 50; ++i) answers.put(0, name(i), answer("OK encrypt"));
  ASSERT_EQ(answers.evicted(), 0U);
  for (int i = 0; i < 50; i += 2) found(answers, name(i));
  int next = 50;
  while (answers.evicted() < 25) answers.put(0, name(next++), answer("OK encrypt"));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(found(answers, name(i)), i % 2 ? "none" : "OK encrypt") << i;
  EXPECT_EQ(found(answers, name(next - 1)), "OK encrypt");
}

TEST(Answers, StayWithinTheirRoom) {
  Answers answers(kLittle);
  for (int i = 0; i < 5000; ++i) {
    EXPECT_TRUE(answers.put(0, name(i), answer("OK " + std::to_string(i % 700))));
    ASSERT_LE(answers.octets(), kLittle);
    if (i % 3 == 0) found(answers, name(i / 2));
  }
  EXPECT_GT(answers.size(), 20U);
  EXPECT_EQ(answers.size(), 5000 - answers.evicted());
  EXPECT_FALSE(answers.put(0, "a.test", answer("OK " + std::string(kLittle, 'x')))) << "larger than all";
  EXPECT_FALSE(answers.put(0, std::string(1000, 'a'), answer("OK encrypt"))) << "no domain is that long";
}

TEST(Answers, KeptOnesAreNeverEvicted) {
  Answers answers(kLittle);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(answers.put(0, name(i), kept("OK encrypt")));
  for (int i = 40; i < 400; ++i) EXPECT_TRUE(answers.put(0, name(i), answer("OK encrypt")));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(found(answers, name(i)), "OK encrypt") << i;
  EXPECT_GT(answers.evicted(), 0U);
  // Full of kept ones: there is no room, and none of them goes.
  int stored = 40;
  while (answers.put(0, name(1000 + stored), kept("OK encrypt"))) ++stored;
  EXPECT_EQ(answers.size(), static_cast<std::size_t>(stored));
  EXPECT_FALSE(answers.put(0, "more.test", answer("OK encrypt")));
  EXPECT_EQ(found(answers, "more.test"), "none");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(found(answers, name(i)), "OK encrypt") << i;
  // One that is kept no more makes room.
  EXPECT_TRUE(answers.put(0, name(0), answer("OK encrypt")));
  EXPECT_TRUE(answers.put(0, "more.test", answer("OK encrypt")));
  EXPECT_EQ(found(answers, name(0)), "none");
}

TEST(Answers, AKeptOneThatNobodyWantsForAWeekIsKeptNoMore) {
  Answers answers(kLittle);
  const base::Time week = kStart + 7 * 24h;
  const auto later = [](base::Time at, base::Time asked) {
    return Answer{"OK encrypt", at, at + 1h, true, asked};
  };
  answers.put(0, "asked.test", later(kStart, kStart));
  answers.put(0, "unasked.test", later(kStart, kStart));
  found(answers, "asked.test", kStart + 2s);
  for (const auto& one : answers.due(kStart + 10s, 10)) {
    EXPECT_EQ(one.asked, one.domain == "asked.test" ? kStart + 2s : kStart) << one.domain;
    answers.put(0, one.domain, later(week + 1s, kStart));  // the last question is known here, too
  }
  EXPECT_EQ(due(answers, week + 1s), Names{"asked.test"});
  answers.put(0, "asked.test", later(week + 1h, kStart));
  // No longer kept, it makes room.
  for (int n = 0; answers.evicted() == 0; ++n) ASSERT_TRUE(answers.put(0, name(n), answer("OK encrypt")));
  EXPECT_EQ(found(answers, "unasked.test", week + 2s), "none");
  EXPECT_EQ(found(answers, "asked.test", week + 2s), "OK encrypt");
  EXPECT_EQ(answers.erase(0, "asked.test"), week + 2s);
  EXPECT_EQ(answers.erase(0, "asked.test"), base::Time{});
}

// Against a plain map: whatever is done in whatever order.
TEST(Answers, BehaveAsAMapOfAll) {
  for (int seed = 0; seed < 5; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    Answers answers(16 << 20);
    std::map<std::string, std::string> model;
    for (int i = 0; i < 20'000; ++i) {
      const std::string domain = name(static_cast<int>(random() % 3000));
      switch (random() % 4) {
        case 0:
          answers.erase(0, domain);
          model.erase(domain);
          break;
        case 1:
          EXPECT_EQ(found(answers, domain), model.contains(domain) ? model[domain] : "none");
          break;
        default:
          model[domain] = "OK " + std::to_string(random() % 500);
          answers.put(0, domain, random() % 2 ? kept(model[domain]) : answer(model[domain]));
      }
    }
    ASSERT_EQ(answers.size(), model.size());
    for (const auto& [domain, reply] : model) EXPECT_EQ(found(answers, domain), reply);
  }
}

TEST(Answers, ManyThreadsAskWhileOnePuts) {
  Answers answers(4 << 20);
  std::atomic<bool> over = false;
  std::atomic<int> wrong = 0;
  std::atomic<std::uint64_t> seen = 0;
  std::vector<std::thread> askers;
  for (int t = 0; t < 3; ++t) {
    askers.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      while (!over) {
        const std::string domain = name(static_cast<int>(random() % 200));
        const std::string reply = found(answers, domain);
        if (reply == "none") continue;
        ++seen;
        if (reply != "OK " + domain && reply != "OK secure " + domain) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20'000 || seen < 1000; ++i) {
    const std::string domain = name(i % 200);
    answers.put(0, domain, i % 3 ? answer("OK " + domain, 1s) : kept("OK secure " + domain, 1s));
    if (i % 7 == 0) answers.erase(0, name(i % 191));
    if (i % 100 == 0) {
      answers.due(kStart + 2s, 10);
      answers.drop_old(kStart);
      (void)answers.size();
      (void)answers.octets();
    }
    if (i % 5000 == 0) answers.clear();
  }
  over = true;
  for (auto& asker : askers) asker.join();
  EXPECT_EQ(wrong, 0);
}

// The authors' own vectors: SipHash-2-4, key 00..0f, input 00..(n-1).
TEST(KeyedHash, IsSipHash) {
  const KeyedHash hash(0x0706050403020100, 0x0f0e0d0c0b0a0908);
  std::string input;
  const struct {
    std::size_t size;
    std::uint64_t hash;
  } cases[] = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}};
  for (const auto& c : cases) {
    while (input.size() < c.size) input += static_cast<char>(input.size());
    EXPECT_EQ(hash(input), c.hash) << c.size;
  }
  EXPECT_NE(hash("a.test", 0), hash("a.test", 1));
  EXPECT_NE(KeyedHash()("a.test"), KeyedHash()("a.test")) << "a key of its own for each";
}

TEST(HashIndex, FindsAllWhereManyCollide) {
  HashIndex index;
  const auto hash_of = [](std::uint32_t number) { return number % 3; };
  const auto find = [&](std::uint32_t number) {
    return index.find(hash_of(number), [&](std::uint32_t n) { return n == number; });
  };
  for (std::uint32_t i = 0; i < 100; ++i) index.insert(hash_of(i), i, hash_of);
  for (std::uint32_t i = 0; i < 100; i += 3) index.erase(i, hash_of);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(find(i), i % 3 ? i : kNone) << i;
}

TEST(Texts, AreThereOnceAndAsLongAsNeeded) {
  const KeyedHash hash;
  Texts texts(hash);
  const auto one = texts.take("OK encrypt");
  const auto octets = texts.octets();
  EXPECT_EQ(texts.take("OK encrypt"), one);
  EXPECT_EQ(texts.octets(), octets);
  EXPECT_NE(texts.take("OK secure"), one);
  texts.drop(one);
  EXPECT_EQ(texts[one], "OK encrypt");
  texts.drop(one);
  EXPECT_EQ(texts.octets(), octets) << "the other one's";
}

}  // namespace
}  // namespace pinnace::policyd
