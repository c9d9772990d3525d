#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace pinnace::base {
namespace {

// RFC 3339 5.6
TEST(Time, Parse) {
  const struct {
    const char* text;
    const char* printed;  // null: refused
    const char* why;
  } cases[] = {
      {"2026-11-23T18:27:51Z", "2026-11-23T18:27:51Z", "UTC"},
      {"2026-11-23t18:27:51z", "2026-11-23T18:27:51Z", "small letters"},
      {"2026-11-23 18:27:51Z", "2026-11-23T18:27:51Z", "a blank for the T"},
      {"2026-11-23T18:27:51+02:00", "2026-11-23T16:27:51Z", "east"},
      {"2026-12-31T23:30:00-01:30", "2027-01-01T01:00:00Z", "west, into the next year"},
      {"2026-11-23T18:27:51.5Z", "2026-11-23T18:27:51Z", "a fraction is dropped"},
      {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", "a leap second"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "a leap year"},
      {"1700000000", "2023-11-14T22:13:20Z", "seconds"},
      {"@1700000000", "2023-11-14T22:13:20Z", "seconds, marked"},
      {"0", "1970-01-01T00:00:00Z", "the epoch"},
      {"-1", "1969-12-31T23:59:59Z", "before it"},
      {"253402300799", "9999-12-31T23:59:59Z", "the last second of four-digit years"},
      {"253402300800", nullptr, "and the one behind it"},
      {"99999999999999999999", nullptr, "more than an integer holds"},
      {"2026-02-29T00:00:00Z", nullptr, "no leap year"},
      {"2026-13-01T00:00:00Z", nullptr, "month 13"},
      {"2026-00-01T00:00:00Z", nullptr, "month 0"},
      {"2026-11-31T00:00:00Z", nullptr, "31 November"},
      {"2026-11-23T24:00:00Z", nullptr, "hour 24"},
      {"2026-11-23T18:60:00Z", nullptr, "minute 60"},
      {"2026-11-23T18:00:61Z", nullptr, "second 61"},
      {"2026-11-23T18:27:51.Z", nullptr, "a point without a fraction"},
      {"2026-11-23T18:27:51", nullptr, "no zone"},
      {"2026-11-23T18:27:51+2:00", nullptr, "half a zone"},
      {"2026-11-23T18:27:51+24:00", nullptr, "no such zone"},
      {"2026-11-23T18:27:51Z ", nullptr, "something behind it"},
      {"2026-11-23", nullptr, "a day"},
      {"12 o'clock", nullptr, "words"},
      {"@", nullptr, "a mark alone"},
      {"", nullptr, "nothing"},
  };
  for (const auto& c : cases) {
    const auto t = parse_time(c.text);
    ASSERT_EQ(t.has_value(), c.printed != nullptr) << c.why;
    if (t) {
      EXPECT_EQ(format_time(*t), c.printed) << c.why;
    }
  }
  EXPECT_NE(parse_time("soon").error().detail.find("'soon'"), std::string::npos)
      << "the error names the text";
}

// RFC 5322 3.3
TEST(Time, MailDate) {
  const std::pair<const char*, const char*> cases[] = {
      {"2023-11-14T22:13:20Z", "Tue, 14 Nov 2023 22:13:20 +0000"},
      {"2024-02-29T00:00:00Z", "Thu, 29 Feb 2024 00:00:00 +0000"},
      {"2027-01-03T23:59:59Z", "Sun, 3 Jan 2027 23:59:59 +0000"},
      {"1969-12-31T23:59:59Z", "Wed, 31 Dec 1969 23:59:59 +0000"},
  };
  for (const auto& [time, date] : cases) EXPECT_EQ(format_mail_date(*parse_time(time)), date);
  EXPECT_EQ(format_time(Time(Milliseconds(-1))), "1969-12-31T23:59:59Z") << "rounded down, also before 1970";
}

TEST(Duration, Parse) {
  const std::pair<const char*, long long> good[] = {
      {"5d", 432000}, {"1h30m", 5400}, {"90m", 5400}, {"45s", 45}, {"60", 60}, {"0", 0}, {"0s", 0},
  };
  for (const auto& [text, seconds] : good) {
    const auto d = parse_duration(text);
    ASSERT_TRUE(d) << text;
    EXPECT_EQ(d->count(), seconds) << text;
  }
  for (const char* bad : {"", "d", "5x", "-5d", "+5d", "5 d", "1.5h", "5D", "99999999999d", "10000000001",
                          "5d-1s", "99999999999999999999"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Duration, FormatIsTheInverse) {
  const std::pair<long long, const char*> cases[] = {
      {0, "0s"}, {45, "45s"}, {60, "1m"}, {5400, "1h30m"}, {93784, "1d2h3m4s"}, {432000, "5d"},
  };
  for (const auto& [seconds, text] : cases) {
    EXPECT_EQ(format_duration(Seconds(seconds)), text);
    EXPECT_EQ(parse_duration(text)->count(), seconds);
  }
  EXPECT_EQ(format_duration(Seconds(-90)), "-1m30s");
}

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock{Time(Seconds(100))};
  EXPECT_EQ(clock.now(), Time(Seconds(100)));
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(clock.now(), Time(Seconds(3700)));
  clock.set(Time(Seconds(5)));
  EXPECT_EQ(clock.now(), Time(Seconds(5)));
}

}  // namespace
}  // namespace pinnace::base
