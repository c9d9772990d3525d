#include "smtp/dot.hpp"

#include <gtest/gtest.h>

#include <random>

#include "smtp/test_cuts.hpp"

namespace pinnace::smtp {
namespace {

struct Read {
  std::string text;
  bool ended;
  bool bare;
  std::string rest;
};

Read read_all(const std::vector<std::string>& parts) {
  DotReader reader;
  Read r{};
  std::string buffer;
  for (const std::string& part : parts) {
    buffer += part;
    buffer.erase(0, reader.read(buffer, r.text));
    EXPECT_TRUE(reader.ended() || buffer.size() <= 2);
  }
  return {r.text, reader.ended(), reader.bare_line_end(), buffer};
}

// RFC 5321 4.5.2, 4.1.1.4
TEST(DotReader, OnlyCrlfDotCrlfEnds) {
  const struct {
    std::string in;
    std::string text;
    bool ended;
    bool bare;
    std::string rest;
  } cases[] = {
      {"a\r\n.\r\nMAIL", "a\r\n", true, false, "MAIL"},
      {".\r\n", "", true, false, ""},
      {"\r\n.\r\n", "\r\n", true, false, ""},
      {"..\r\n..b\r\n.\r\n", ".\r\n.b\r\n", true, false, ""},
      {".a\r\n. \r\n.\r\n", "a\r\n \r\n", true, false, ""},
      {"a.\r\n.\r\n", "a.\r\n", true, false, ""},
      {"a\r\n.", "a\r\n", false, false, "."},
      {"a\r\n.\r", "a\r\n", false, false, ".\r"},
      {"a\r", "a", false, false, "\r"},
      {"abc", "abc", false, false, ""},
      {"", "", false, false, ""},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.in)) {
      const Read r = read_all(parts);
      EXPECT_EQ(r.text, c.text) << testing::PrintToString(c.in);
      EXPECT_EQ(r.ended, c.ended) << testing::PrintToString(c.in);
      EXPECT_EQ(r.bare, c.bare) << testing::PrintToString(c.in);
      EXPECT_EQ(r.rest, c.rest) << testing::PrintToString(c.in);
    }
  }
}

// What another server may take for the end (SMTP smuggling): never ours, wherever the network cuts it.
TEST(DotReader, EveryOtherEndIsTextAndMarked) {
  const std::vector<std::string> ends = {
      "\n", "\r", "\r\n", "\r\r\n", "\n\r", "\r\n\r", std::string("\r\0\n", 3)};
  for (const std::string& before : ends) {
    for (const std::string& after : ends) {
      if (before.ends_with("\r\n") && after.starts_with("\r\n")) continue;  // that is the end
      const std::string in = "a" + before + "." + after + "MAIL FROM:<evil@x.test>\r\n.\r\nNOOP";
      for (const auto& parts : all_cuts(in)) {
        const Read r = read_all(parts);
        ASSERT_TRUE(r.ended) << testing::PrintToString(in);
        ASSERT_TRUE(r.bare) << testing::PrintToString(in);
        ASSERT_EQ(r.rest, "NOOP") << testing::PrintToString(in);
        ASSERT_TRUE(r.text.ends_with("MAIL FROM:<evil@x.test>\r\n")) << testing::PrintToString(in);
      }
    }
  }
}

// RFC 5321 4.5.3.1.6 counts a line without its transparent dot
TEST(DotReader, LongestLine) {
  const struct {
    std::string in;
    std::size_t longest;
  } cases[] = {
      {"", 0},    {"\r\n", 0},       {"abc\r\nde\r\n", 3}, {"..ab\r\n", 3},
      {"abc", 3}, {"ab\ncd\r\n", 5}, {"ab\rcd\r\n", 5},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.in)) {
      DotReader reader;
      std::string text, buffer;
      for (const auto& part : parts) {
        buffer += part;
        buffer.erase(0, reader.read(buffer, text));
      }
      EXPECT_EQ(reader.longest_line(), c.longest) << testing::PrintToString(c.in);
    }
  }
}

TEST(DotWriter, StuffsAndEndsAtEveryCut) {
  const struct {
    std::string text;
    std::string wire;
  } cases[] = {
      {"", ".\r\n"},
      {"a\r\n", "a\r\n.\r\n"},
      {"a", "a\r\n.\r\n"},
      {".", "..\r\n.\r\n"},
      {".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n"},
      {"\r\n.x\r\n", "\r\n..x\r\n.\r\n"},
      {"\r\n\r\n", "\r\n\r\n.\r\n"},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.text)) {
      DotWriter writer;
      std::string wire;
      for (const auto& part : parts) ASSERT_TRUE(writer.write(part, wire));
      ASSERT_TRUE(writer.finish(wire));
      EXPECT_EQ(wire, c.wire);
    }
  }
}

TEST(DotWriter, NeverEmitsABareCrOrLf) {
  for (const char* bad : {"a\nb", "a\rb\r\n", "\n", "a\r\r\n", "a\r", "\n.\n", "a\r\n.\n", "a\n\r\n"}) {
    for (const auto& parts : all_cuts(bad)) {
      DotWriter writer;
      std::string wire;
      bool good = true;
      for (const auto& part : parts) good = good && writer.write(part, wire);
      EXPECT_FALSE(good && writer.finish(wire)) << testing::PrintToString(bad);
      for (std::size_t i = 0; i < wire.size(); ++i) {
        EXPECT_FALSE(wire[i] == '\n' && (i == 0 || wire[i - 1] != '\r')) << testing::PrintToString(bad);
      }
    }
  }
}

TEST(LineEnds, OnlyCrlfEndsALineAtEveryCut) {
  const struct {
    const char* text;
    bool good;
  } cases[] = {
      {"", true},    {"a\r\n.\r\n\r\n", true}, {"a", true},    {"a\nb", false},    {"a\rb", false},
      {"\n", false}, {"a\r\r\n", false},       {"a\r", false}, {"a\n\r\n", false}, {"\r\n\n", false}};
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.text)) {
      LineEnds ends;
      bool good = true;
      for (const auto& part : parts) good = good && ends.feed(part);
      EXPECT_EQ(good && ends.whole(), c.good) << testing::PrintToString(c.text);
    }
  }
}

TEST(Dot, WhatIsWrittenIsReadBack) {
  std::mt19937 random(5321);
  const std::vector<std::string> pieces = {".", "..", "\r\n", "a", "line of text", "\r\n.\r\n"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned n = random() % 12; n > 0; --n) text += pieces[random() % pieces.size()];
    DotWriter writer;
    std::string wire;
    ASSERT_TRUE(writer.write(text, wire) && writer.finish(wire));
    if (!text.empty() && !text.ends_with("\r\n")) text += "\r\n";
    const std::size_t cut = random() % (wire.size() + 1);
    const Read r = read_all({wire.substr(0, cut), wire.substr(cut) + "NOOP"});
    ASSERT_TRUE(r.ended);
    EXPECT_FALSE(r.bare);
    EXPECT_EQ(r.text, text);
    EXPECT_EQ(r.rest, "NOOP");
  }
}

}  // namespace
}  // namespace pinnace::smtp
