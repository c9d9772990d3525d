#include "auth/throttle.hpp"

#include <gtest/gtest.h>

namespace pinnace::auth {
namespace {

using namespace std::chrono_literals;

const base::Time kStart{std::chrono::hours(500'000)};

struct Attempts {
  base::ManualClock clock{kStart};
  Throttle throttle;
  std::optional<base::Milliseconds> wait(const std::string& client, const std::string& user) {
    return throttle.admit(client, user, clock.now());
  }
  void fail(const std::string& client, const std::string& user) {
    throttle.failed(client, user, clock.now());
  }
};

TEST(Throttle, WaitsGrowToALimit) {
  Attempts a;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(a.wait("c", "ann"), 0ms) << pause.count() << ": the pause before is over";
    a.fail("c", "ann");
    if (pause > 10s) {
      EXPECT_EQ(a.wait("c", "ann"), std::nullopt) << "nobody is kept waiting so long";
      a.clock.advance(pause - 10s);
    }
    const auto wait = a.wait("c", "ann");
    EXPECT_EQ(wait, std::min<base::Milliseconds>(pause, 10s));
    a.clock.advance(std::min<base::Milliseconds>(pause, 10s) + pause);
  }
}

TEST(Throttle, OfAClientAndOfAUser) {
  Attempts a;
  for (int i = 0; i < 5; ++i) a.fail("bad", "ann");
  EXPECT_EQ(a.wait("bad", "bob"), std::nullopt) << "the client guesses";
  EXPECT_EQ(a.wait("other", "ann"), std::nullopt) << "the user is guessed at, from wherever";
  EXPECT_EQ(a.wait("other", "bob"), 0ms);
}

TEST(Throttle, SideBySideIsNoWayAround) {
  Attempts a;
  a.fail("c", "ann");
  a.clock.advance(1s);
  EXPECT_EQ(a.wait("c", "ann"), 0ms);
  EXPECT_EQ(a.wait("c", "ann"), 1s);
  EXPECT_EQ(a.wait("c", "bob"), 2s);
}

// A burst must not be over before the first failure is known.
TEST(Throttle, AFewLoginsSideBySide) {
  Throttle throttle;
  std::vector<Throttle::Attempt> under_way;
  const auto begins = [&](const std::string& client, const std::string& user) {
    auto attempt = throttle.begin(client, user);
    if (attempt) under_way.push_back(std::move(*attempt));
    return attempt.has_value();
  };
  for (const char* user : {"ann", "bob", "eve"}) EXPECT_TRUE(begins("c", user));
  EXPECT_FALSE(begins("c", "dan")) << "of a client, in whosever name";
  EXPECT_TRUE(begins("d", "ann"));
  EXPECT_TRUE(begins("e", "ann"));
  EXPECT_FALSE(begins("f", "ann")) << "in a user's name, from wherever";
  throttle.succeeded("c", "ann");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(begins("c", "ann")) << "others do not count there";
  EXPECT_FALSE(begins("c", "ann")) << "but he does himself";
  under_way.clear();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(begins("f", "ann")) << "they ended";
}

TEST(Throttle, WhoeverWasGoodIsNotLockedOut) {
  Attempts a;
  a.throttle.succeeded("home", "ann");
  for (int i = 0; i < 9; ++i) a.fail("bad", "ann");
  EXPECT_EQ(a.wait("bad", "ann"), std::nullopt);
  EXPECT_EQ(a.wait("home", "ann"), 0ms);
  EXPECT_EQ(a.wait("bad", "bob"), std::nullopt) << "a good login elsewhere helps no guesser";
  a.fail("home", "ann");
  EXPECT_EQ(a.wait("home", "ann"), std::nullopt) << "until it fails too";
}

TEST(Throttle, ForgetsAfterAnHour) {
  Attempts a;
  for (int i = 0; i < 9; ++i) a.fail("c", "ann");
  a.clock.advance(1h);
  EXPECT_EQ(a.wait("c", "ann"), 0ms);
  a.fail("c", "ann");
  EXPECT_EQ(a.wait("c", "ann"), 1s) << "as after a first failure";
}

TEST(Throttle, IsBounded) {
  ThrottleSettings settings;
  settings.most = 10;
  Throttle throttle(settings);
  base::ManualClock clock(kStart);
  for (int i = 0; i < 1000; ++i) {
    throttle.failed("c" + std::to_string(i), "u" + std::to_string(i), clock.now());
    clock.advance(1ms);
  }
  int held = 0;
  for (int i = 0; i < 1000; ++i) held += throttle.admit("c" + std::to_string(i), "-", clock.now()) != 0ms;
  EXPECT_EQ(held, 10);
}

}  // namespace
}  // namespace pinnace::auth
