#include "base/record.hpp"

#include <gtest/gtest.h>

namespace pinnace::base {
namespace {

std::string example() {
  RecordWriter w;
  w.u8(7);
  w.u32(70000);
  w.i64(-5);
  w.text("hello");
  return w.take();
}

TEST(Record, ReadsWhatWasWritten) {
  const std::string record = example();
  RecordReader r(record);
  EXPECT_EQ(r.u8(), 7);
  EXPECT_EQ(r.u32(), 70000U);
  EXPECT_EQ(r.i64(), -5);
  EXPECT_EQ(r.text(), "hello");
  EXPECT_TRUE(r.at_end());
}

TEST(Record, IsLittleEndian) {
  RecordWriter w;
  w.u32(0x01020304);
  EXPECT_EQ(w.take(), "\x04\x03\x02\x01");
}

TEST(Record, CutAnywhereItFailsAndStaysFailed) {
  const std::string record = example();
  for (std::size_t n = 0; n < record.size(); ++n) {
    RecordReader r(std::string_view(record).substr(0, n));
    r.u8();
    r.u32();
    r.i64();
    EXPECT_EQ(r.text(), "") << n;
    EXPECT_TRUE(r.failed()) << n;
    EXPECT_FALSE(r.at_end()) << n;
    EXPECT_EQ(r.u8(), 0) << n;
  }
}

TEST(Record, ACountIsNeverMoreThanCanFollow) {
  const auto count = [](std::uint32_t n, std::size_t octets, std::size_t least) {
    RecordWriter w;
    w.u32(n);
    const std::string record = w.take() + std::string(octets, 'x');
    RecordReader r(record);
    const std::uint32_t counted = r.count(least);
    return std::pair(counted, r.failed());
  };
  EXPECT_EQ(count(3, 12, 4), std::pair(3U, false));
  EXPECT_EQ(count(4, 12, 4), std::pair(0U, true));
  EXPECT_EQ(count(0xffffffff, 0, 1), std::pair(0U, true));
  EXPECT_EQ(count(0, 0, 4), std::pair(0U, false));
}

}  // namespace
}  // namespace pinnace::base
