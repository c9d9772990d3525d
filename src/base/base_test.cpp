#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/record.hpp"

namespace pinnace::base {
namespace {

// RFC 4648 10
TEST(Base64, VectorsAndStrictness) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  for (const char* bad :
       {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm 9v", "Zg==Zg==", "Zm-_"}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
}

TEST(Time, ParseAndFormat) {
  const struct {
    const char* text;
    const char* printed;  // null: refused
  } cases[] = {
      {"2026-11-23T18:27:51Z", "2026-11-23T18:27:51Z"},
      {"2026-11-23T18:27:51+02:00", "2026-11-23T16:27:51Z"},
      {"2026-11-23T18:27:51.5Z", "2026-11-23T18:27:51Z"},
      {"1700000000", "2023-11-14T22:13:20Z"},
      {"@1700000000", "2023-11-14T22:13:20Z"},
      {"2026-02-29T00:00:00Z", nullptr},
      {"2026-11-23", nullptr},
      {"2026-11-23T18:27:51", nullptr},
      {"", nullptr},
      {"2026-13-01T00:00:00Z", nullptr},
      {"99999999999999", nullptr},
  };
  for (const auto& c : cases) {
    const auto t = parse_time(c.text);
    ASSERT_EQ(t.has_value(), c.printed != nullptr) << c.text;
    if (t) {
      EXPECT_EQ(format_time(*t), c.printed);
    }
  }
  EXPECT_EQ(format_mail_date(*parse_time("1700000000")), "Tue, 14 Nov 2023 22:13:20 +0000");
}

TEST(Duration, ParseAndFormat) {
  const std::pair<const char*, long long> good[] = {
      {"5d", 432000}, {"1h30m", 5400}, {"45s", 45}, {"60", 60}, {"0", 0}};
  for (const auto& [text, seconds] : good) EXPECT_EQ(parse_duration(text)->count(), seconds) << text;
  for (const char* bad : {"", "d", "5x", "-5d", "5 d", "99999999999d"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_EQ(format_duration(Seconds(93784)), "1d2h3m4s");
  EXPECT_EQ(format_duration(Seconds(0)), "0s");
}

TEST(Log, ValuesCannotForgeALine) {
  EXPECT_EQ(quote_log_value("plain.text@x"), "plain.text@x");
  EXPECT_EQ(quote_log_value("a b"), "\"a b\"");
  EXPECT_EQ(quote_log_value(""), "\"\"");
  EXPECT_EQ(quote_log_value("x\r\nerror \"y\\"), "\"x\\x0d\\x0aerror \\\"y\\\\\"");
  EXPECT_EQ(quote_log_value("a=b"), "\"a=b\"");
}

TEST(Record, ReaderNeverGoesPastTheEnd) {
  RecordWriter w;
  w.u8(7);
  w.u32(70000);
  w.i64(-5);
  w.text("hello");
  const std::string record = w.take();
  RecordReader r(record);
  EXPECT_EQ(r.u8(), 7);
  EXPECT_EQ(r.u32(), 70000U);
  EXPECT_EQ(r.i64(), -5);
  EXPECT_EQ(r.text(), "hello");
  EXPECT_TRUE(r.at_end());
  RecordReader huge(std::string_view("\xff\xff\xff\xff", 4));
  EXPECT_EQ(huge.count(1), 0U);
  EXPECT_TRUE(huge.failed());
}

}  // namespace
}  // namespace pinnace::base
