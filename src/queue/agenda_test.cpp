#include "queue/agenda.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace pinnace::queue {
namespace {

using namespace std::chrono_literals;

const base::Time kStart = base::Time(base::Seconds(1'700'000'000));

std::vector<std::uint64_t> all(Line& line) {
  std::vector<std::uint64_t> out;
  while (const auto entry = line.pop()) out.push_back(entry->id.value);
  return out;
}

TEST(Line, AMillionOfOneSenderDelayNobodyElsesSingleOne) {
  Line line;
  for (std::uint64_t id = 1; id <= 1'000'000; ++id) line.push({id}, {1, Priority::normal});
  for (int i = 0; i < 1000; ++i) line.pop();
  line.push({2'000'000}, {2, Priority::normal});
  EXPECT_EQ(line.pop()->id.value, 1001U);
  EXPECT_EQ(line.pop()->id.value, 2'000'000U);
  EXPECT_EQ(line.size(), 998'999U);
}

TEST(Line, SendersTakeTurns) {
  Line line;
  for (std::uint64_t id = 1; id <= 3; ++id) line.push({id}, {1, Priority::normal});
  for (std::uint64_t id = 11; id <= 13; ++id) line.push({id}, {2, Priority::normal});
  line.push({21}, {3, Priority::normal});
  EXPECT_THAT(all(line), testing::ElementsAre(1, 11, 21, 2, 12, 3, 13));
}

// Of each 21 turns while all wait, the high have 16, the normal 4 and the low one.
TEST(Line, PrioritiesHaveTheirWeightsAndTheLowNeverStarve) {
  Line line;
  const Priority kinds[] = {Priority::low, Priority::normal, Priority::high};
  for (std::uint64_t id = 0; id < 3000; ++id) line.push({id}, {1, kinds[id % 3]});
  int turns[3] = {};
  for (int i = 0; i < 210; ++i) ++turns[line.pop()->id.value % 3];
  EXPECT_THAT(turns, testing::ElementsAre(testing::AllOf(testing::Ge(9), testing::Le(11)),
                                          testing::AllOf(testing::Ge(38), testing::Le(42)),
                                          testing::AllOf(testing::Ge(157), testing::Le(163))));
}

TEST(Line, TheOldAreFoundWhereverTheyStand) {
  Line line;
  for (const std::uint64_t id : {5, 3, 9, 7}) line.push({id}, {static_cast<std::uint16_t>(id), {}});
  EXPECT_EQ(line.oldest()->value, 3U);
  EXPECT_EQ(line.promote({2}), 0U);
  line.push_front({{1}, true});
  EXPECT_EQ(line.promote({7}), 4U);
  EXPECT_THAT(all(line), testing::ElementsAre(1, 3, 5, 7, 9));
}

// Against a model that keeps everything and looks through it each time.
TEST(Agenda, AgreesWithANaiveModel) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](std::uint64_t n) { return random() % n; };
    Agenda agenda({});
    base::Time now = kStart;
    std::multimap<std::string, std::pair<base::Time, std::uint64_t>> waiting;
    std::map<std::string, std::multiset<std::uint64_t>> due;
    for (std::uint64_t step = 1; step < 3000; ++step) {
      const std::string destination = "d" + std::to_string(pick(7)) + ".test";
      switch (pick(6)) {
        case 0:
        case 1: {
          const base::Time at = now + base::Milliseconds(static_cast<int>(pick(20'000)) - 5'000);
          agenda.add({step}, destination, {static_cast<std::uint16_t>(pick(3)), {}}, at, now);
          if (at <= now) {
            due[destination].insert(step);
          } else {
            waiting.insert({destination, {at, step}});
          }
          break;
        }
        case 2:
          now += base::Milliseconds(pick(3'000));
          while (agenda.poll(now, 3)) continue;
          std::erase_if(waiting, [&](const auto& w) {
            const bool over = std::chrono::ceil<base::Seconds>(w.second.first) <= now;
            if (over) due[w.first].insert(w.second.second);
            return over;
          });
          break;
        case 3: {
          const auto entry = agenda.pop(destination);
          ASSERT_EQ(entry.has_value(), !due[destination].empty());
          if (!entry) break;
          const auto known = due[destination].find(entry->id.value);
          ASSERT_NE(known, due[destination].end()) << "an entry comes from where it was put, and once";
          due[destination].erase(known);
          break;
        }
        case 4: {
          auto& line = due[destination];
          const auto old = std::distance(line.begin(), line.upper_bound(step / 2));
          ASSERT_EQ(agenda.promote(destination, {step / 2}), static_cast<std::size_t>(old));
          if (old == 0) break;
          ASSERT_EQ(agenda.pop(destination)->id.value, *line.begin()) << "the oldest of all is first";
          line.erase(line.begin());
          break;
        }
        default:
          if (pick(100) == 0) {
            ASSERT_EQ(agenda.force_all(), waiting.size());
            for (const auto& w : std::exchange(waiting, {})) due[w.first].insert(w.second.second);
          } else {
            agenda.add_front({{step}, true}, destination);
            due[destination].insert(step);
          }
      }
      std::size_t total = 0;
      for (const auto& [name, line] : due) {
        total += line.size();
        ASSERT_EQ(agenda.line(name) != nullptr, !line.empty());
        if (!line.empty()) {
          ASSERT_EQ(agenda.line(name)->oldest()->value, *line.begin());
        }
      }
      ASSERT_EQ(agenda.due(), total);
      ASSERT_EQ(agenda.waiting(), waiting.size());
    }
  }
}

}  // namespace
}  // namespace pinnace::queue
