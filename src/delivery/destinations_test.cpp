#include "delivery/destinations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/unreachable_hosts.hpp"
#include "queue/agenda.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const base::Time kStart = base::Time(base::Seconds(1'700'000'000));
const std::string kThere = "x.test";

struct World {
  base::ManualClock clock{kStart};
  Settings settings;
  queue::ScheduleSettings schedule{5min, 4h, std::chrono::days(5), 0.0};
  Destinations destinations{clock, settings, schedule};
  UnreachableHosts hosts{clock, settings, schedule};

  WaitingTogether why(std::string host = "mx.x.test") {
    return {temporary("4.4.1", "connection refused"), std::move(host), {}, {}};
  }
  // Starts as many workers as it may.
  std::size_t fill() {
    while (destinations.may_start(kThere)) destinations.started(kThere);
    return destinations.workers(kThere);
  }
};

// One until a host answers, then the initial window, then one more for each message, up to the most.
TEST(Destinations, TheWindowGrowsOnSuccessAndShrinksOnFailure) {
  World w;
  EXPECT_EQ(w.fill(), 1U);
  w.destinations.connected(kThere, true);
  w.destinations.answered(kThere);
  EXPECT_EQ(w.fill(), 5U);
  for (int i = 0; i < 3; ++i) w.destinations.took_a_message(kThere);
  EXPECT_EQ(w.fill(), 8U);
  for (int i = 0; i < 100; ++i) w.destinations.took_a_message(kThere);
  EXPECT_EQ(w.fill(), 20U);
  w.destinations.put_off(kThere);
  EXPECT_FALSE(w.destinations.may_go_on(kThere));
  w.destinations.ended(kThere);
  EXPECT_TRUE(w.destinations.may_go_on(kThere));
  for (int i = 0; i < 100; ++i) w.destinations.put_off(kThere);
  while (!w.destinations.may_go_on(kThere)) w.destinations.ended(kThere);
  EXPECT_EQ(w.destinations.workers(kThere), 1U);
}

// One that had been looked at in between was remembered for ever.
TEST(Destinations, NothingIsRememberedOfOneThatAnsweredAndIsLeft) {
  World w;
  w.fill();
  w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  w.destinations.look_again(kThere, kStart + 1min);
  w.destinations.answered(kThere);
  w.destinations.ended(kThere);
  w.clock.advance(1min);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere));
  EXPECT_EQ(w.destinations.size(), 0U);
}

// A server that lets only so many in is not dead.
TEST(Destinations, WhereOthersAreConnectedAFailureLeavesOneAndNobodyWaits) {
  World w;
  w.fill();
  w.destinations.connected(kThere, true);
  w.destinations.answered(kThere);
  w.fill();
  const auto then = w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  EXPECT_TRUE(then.others_reach_it);
  EXPECT_FALSE(w.destinations.waits(kThere));
  EXPECT_FALSE(w.destinations.may_go_on(kThere));
  // The last one, whose session a new policy forbids.
  const auto last = w.destinations.unreachable(kThere, w.why(), std::nullopt, true);
  EXPECT_FALSE(last.others_reach_it);
  EXPECT_TRUE(w.destinations.waits(kThere));
}

// RFC 5321 4.5.4.1
TEST(Destinations, TenThousandMessagesForADeadOneCostOneTryAPause) {
  World w;
  queue::Agenda agenda({});
  for (std::uint64_t id = 1; id <= 10'000; ++id) agenda.add({id}, kThere, {}, kStart, kStart);
  std::vector<std::int64_t> tries;
  for (int second = 0; second < 3 * 3600; ++second) {
    const auto alarms = w.destinations.due_alarms();
    if (second == 0 || !alarms.empty()) {
      while (w.destinations.may_start(kThere) && agenda.line(kThere)) {
        w.destinations.started(kThere);
        agenda.pop(kThere);
        tries.push_back(second / 60);
        EXPECT_FALSE(w.destinations.unreachable(kThere, w.why(), std::nullopt, false).others_reach_it);
        w.destinations.ended(kThere);
      }
    }
    w.clock.advance(1s);
  }
  EXPECT_THAT(tries, ElementsAre(0, 5, 15, 35, 65, 95, 125, 155));
  EXPECT_EQ(agenda.due(), 10'000 - tries.size()) << "the others wait untouched";
  EXPECT_EQ(w.destinations.waits(kThere)->since, kStart);
  // It answers: nobody waits any more.
  w.clock.advance(30min);
  ASSERT_TRUE(w.destinations.may_start(kThere));
  w.destinations.started(kThere);
  w.destinations.connected(kThere, true);
  w.destinations.answered(kThere);
  EXPECT_FALSE(w.destinations.waits(kThere));
  EXPECT_EQ(w.fill(), 5U);
}

TEST(Destinations, OneThatWaitsIsTriedAtOnceWhenItIsReleased) {
  World w;
  w.fill();
  w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  w.destinations.ended(kThere);
  EXPECT_FALSE(w.destinations.may_start(kThere));
  w.destinations.release_for("other.test");
  EXPECT_FALSE(w.destinations.may_start(kThere));
  w.destinations.release_for("mx.x.test");
  EXPECT_TRUE(w.destinations.may_start(kThere));
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere));
}

TEST(Destinations, AnAlarmIsForTheEarliestTimeAskedFor) {
  World w;
  w.fill();
  w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  w.destinations.ended(kThere);
  w.destinations.look_again(kThere, kStart + 1min);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre());
  w.clock.advance(1min);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere));
  EXPECT_FALSE(w.destinations.may_start(kThere)) << "only a look";
  w.clock.advance(4min);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere));
  EXPECT_TRUE(w.destinations.may_start(kThere));
}

TEST(Destinations, WhereTheClockIsSetBackNoPauseIsLongerThanItWas) {
  World w;
  w.fill();
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre());
  w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  w.destinations.ended(kThere);
  w.hosts.failed("192.0.2.1:25", "refused");
  w.clock.set(kStart - 5h);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere)) << "it is looked at";
  EXPECT_FALSE(w.destinations.may_start(kThere));
  EXPECT_TRUE(w.hosts.known("192.0.2.1:25"));
  w.clock.advance(5min);
  EXPECT_THAT(w.destinations.due_alarms(), ElementsAre(kThere));
  EXPECT_TRUE(w.destinations.may_start(kThere));
  EXPECT_FALSE(w.hosts.known("192.0.2.1:25"));
}

TEST(Destinations, WhatNobodyWaitsForIsForgotten) {
  World w;
  w.fill();
  w.destinations.unreachable(kThere, w.why(), std::nullopt, false);
  w.destinations.ended(kThere);
  w.clock.advance(5min);
  w.destinations.due_alarms();
  EXPECT_TRUE(w.destinations.waits(kThere));
  w.clock.advance(2h);
  w.destinations.due_alarms();
  EXPECT_FALSE(w.destinations.waits(kThere));
}

// Ten thousand domains at one dead host cost it one connection a pause.
TEST(UnreachableHosts, OneOfAllWhoAskTriesItWhenItsPauseIsOver) {
  World w;
  const std::string address = "192.0.2.1:25";
  std::vector<int> tries;
  for (int minute = 0; minute < 60; ++minute) {
    for (int domain = 0; domain < 10'000; ++domain) {
      if (w.hosts.known(address)) continue;
      tries.push_back(minute);
      w.hosts.failed(address, "refused");
    }
    w.clock.advance(1min);
  }
  EXPECT_THAT(tries, ElementsAre(0, 4, 12, 27, 50));
  EXPECT_EQ(w.hosts.known(address)->reason, "refused");
  w.clock.advance(1h);
  EXPECT_FALSE(w.hosts.known(address));
  EXPECT_TRUE(w.hosts.known(address)) << "others wait for the one that tries";
  EXPECT_TRUE(w.hosts.answered(address));
  EXPECT_FALSE(w.hosts.known(address));
  EXPECT_FALSE(w.hosts.answered(address));
}

}  // namespace
}  // namespace pinnace::delivery
