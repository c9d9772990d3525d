#include "policyd/told.hpp"

#include <gtest/gtest.h>

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;
constexpr base::Time kNow{1'700'000'000'000ms};

Told told() {
  Told out;
  out.key = "x.test";
  out.made = kNow;
  out.refresh = kNow + 1min;
  out.usable = kNow + 2min;
  out.kept = true;
  out.hosts = {"mx.x.test", "@x.test"};
  out.replies = {{"pinnace", "OK secure match=mx.x.test", "MTA-STS", {"a note"}, {"/a/b.pem"}, true},
                 {"report-only", "NOTFOUND ", "", {}, {}, false}};
  return out;
}

TEST(Told, IsReadAsItWasWritten) {
  const Told before = told();
  const auto after = Told::decode(before.encode());
  ASSERT_TRUE(after);
  EXPECT_EQ(*after, before);
  EXPECT_EQ(after->find("report-only")->text, "NOTFOUND ");
  EXPECT_EQ(after->find("other"), nullptr);
}

TEST(Told, EveryCutRecordIsRefused) {
  const std::string record = told().encode();
  for (std::size_t size = 0; size < record.size(); ++size)
    EXPECT_FALSE(Told::decode(std::string_view(record).substr(0, size))) << size;
  EXPECT_FALSE(Told::decode(record + '\0'));
  std::string other = record;
  other[0] = 2;
  EXPECT_FALSE(Told::decode(other)) << "a version that is not known";
}

TEST(Told, OnlyWhatDemandsIsToldOnForADay) {
  Told one = told();
  EXPECT_EQ(one.over(), kNow + kStale);
  one.replies[0].demanding = false;
  EXPECT_EQ(one.over(), one.usable);
}

}  // namespace
}  // namespace pinnace::policyd
