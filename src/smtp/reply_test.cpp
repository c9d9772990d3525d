#include "smtp/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/test_cuts.hpp"

namespace pinnace::smtp {
namespace {

// RFC 5321 4.2.1
TEST(ReplyParser, RepliesCutAtEveryOctet) {
  const std::string bytes = "250-mx.test\r\n250-\r\n250 SIZE 100\r\n354\r\n550 5.1.1 no\r\n";
  for (const auto& parts : all_cuts(bytes)) {
    ReplyParser parser;
    std::vector<Reply> replies;
    for (const std::string& part : parts) {
      parser.receive(part);
      while (auto got = parser.next().value()) replies.push_back(*got);
    }
    ASSERT_EQ(replies.size(), 3U);
    EXPECT_EQ(replies[0].code, 250);
    EXPECT_THAT(replies[0].lines, testing::ElementsAre("mx.test", "", "SIZE 100"));
    EXPECT_EQ(replies[1].code, 354) << "RFC 5321 4.2: a code alone is a reply";
    EXPECT_EQ(replies[2].enhanced(), "5.1.1");
    EXPECT_FALSE(parser.pending());
  }
}

// RFC 6531 3.7.4.1
TEST(ReplyParser, TextBeyondAsciiIsText) {
  const std::string text = "<\xc3\xbc@x.test> it is now";
  for (const char* code : {"251", "551"}) {
    ReplyParser parser;
    parser.receive(code + (" " + text) + "\r\n");
    const auto reply = parser.next().value();
    ASSERT_TRUE(reply) << code;
    EXPECT_EQ(reply->lines.front(), text);
    EXPECT_EQ(std::to_string(reply->code), code);
    EXPECT_EQ(reply->completed(), reply->code == 251);
  }
}

TEST(ReplyParser, PendingFromTheFirstOctetOn) {
  ReplyParser parser;
  EXPECT_FALSE(parser.pending());
  for (const char* part : {"2", "50-a\r", "\n"}) {
    parser.receive(part);
    EXPECT_FALSE(parser.next().value());
    EXPECT_TRUE(parser.pending()) << part;
  }
  parser.clear();
  EXPECT_FALSE(parser.pending());
  parser.receive("220 b\r\n");
  EXPECT_EQ(parser.next().value()->lines, std::vector<std::string>{"b"});
}

TEST(ReplyParser, RefusesWhatIsNoReply) {
  const struct {
    std::string bytes;
    const char* why;
  } cases[] = {
      {"250 ok\n", "bare LF"},
      {"250 o\rk\r\n", "bare CR"},
      {"250 ok\r\r\n", "a CR too many"},
      {"25 ok\r\n", "two digits"},
      {"25\r\n", "two digits alone"},
      {"250_ok\r\n", "no separator"},
      {"2500 ok\r\n", "four digits"},
      {"600 ok\r\n", "code above 599"},
      {"199 ok\r\n", "code below 200"},
      {"250-a\r\n251 b\r\n", "RFC 5321 4.2.1: codes differ"},
      {"\r\n", "empty line"},
      {"\n", "LF alone"},
      {std::string("\0\0\0\0\r\n", 6), "NUL"},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.bytes)) {
      ReplyParser parser;
      bool refused = false;
      for (const std::string& part : parts) {
        parser.receive(part);
        refused = refused || !parser.next();
      }
      EXPECT_TRUE(refused) << c.why;
      parser.receive("250 ok\r\n");
      EXPECT_FALSE(parser.next()) << c.why << ": nothing after an error is to be trusted";
    }
  }
}

// RFC 5321 4.5.3.1.5 has 512 octets; what is beyond 2,048 is no line any more.
TEST(ReplyParser, LinesAndRepliesAreBounded) {
  const struct {
    std::string bytes;
    bool good;
    const char* why;
  } cases[] = {
      {"220 " + std::string(508, 'x') + "\r\n", true, "512 and CRLF"},
      {"220 " + std::string(2043, 'x') + "\r\n", true, "the most"},
      {"220 " + std::string(2045, 'x') + "\r\n", false, "over-long line"},
      {"220 " + std::string(3000, 'x'), false, "over-long line without end"},
      {std::string(3000, '2'), false, "nothing but digits"},
  };
  for (const auto& c : cases) {
    ReplyParser parser;
    parser.receive(c.bytes);
    EXPECT_EQ(parser.next().has_value(), c.good) << c.why;
  }
  for (const std::string line : {"250-\r\n", "250-xxxxxxxxxx\r\n"}) {
    ReplyParser parser;
    std::size_t taken = 0;
    while (taken < 1'000'000) {
      parser.receive(line);
      taken += line.size();
      if (!parser.next()) break;
    }
    EXPECT_LT(taken, 2 * ReplyParser::kMaxReply) << line;
  }
}

// RFC 2034 4, RFC 3463 2
TEST(Reply, EnhancedCode) {
  const struct {
    int code;
    const char* text;
    const char* enhanced;
    const char* why;
  } cases[] = {
      {550, "5.1.1 no such user", "5.1.1", "plain"},
      {250, "2.0.0", "2.0.0", "nothing behind it"},
      {451, "4.123.123 x", "4.123.123", "three digits each"},
      {250, "5.1.1 ok", "", "another class than the code's"},
      {550, "5.1111.1 x", "", "four digits"},
      {550, "5.1 x", "", "no detail"},
      {550, "5.1. x", "", "empty detail"},
      {550, "5..1 x", "", "empty subject"},
      {550, "5.1.1.1 x", "", "a fourth part"},
      {550, "5.1.a x", "", "a letter"},
      {550, "no code", "", "none"},
      {550, "", "", "empty"},
  };
  for (const auto& c : cases) EXPECT_EQ(Reply::make(c.code, c.text).enhanced(), c.enhanced) << c.why;
  EXPECT_EQ((Reply{550, {}}).enhanced(), "");
}

TEST(Reply, KindsByTheFirstDigit) {
  const struct {
    int code;
    bool completed, positive, transient, permanent;
  } cases[] = {{250, true, true, false, false},
               {354, false, true, false, false},
               {451, false, false, true, false},
               {550, false, false, false, true}};
  for (const auto& c : cases) {
    const Reply r = Reply::make(c.code, "x");
    EXPECT_EQ(r.completed(), c.completed) << c.code;
    EXPECT_EQ(r.positive(), c.positive) << c.code;
    EXPECT_EQ(r.transient(), c.transient) << c.code;
    EXPECT_EQ(r.permanent(), c.permanent) << c.code;
  }
}

// Whatever is in the text, one reply comes out, and its lines end where we end them.
TEST(Reply, WireIsOneReplyWhateverTheText) {
  const struct {
    Reply reply;
    std::string wire;
    const char* why;
  } cases[] = {
      {Reply::make(250, "2.0.0 ok"), "250 2.0.0 ok\r\n", "plain"},
      {{250, {"a", "b"}}, "250-a\r\n250 b\r\n", "two lines"},
      {{250, {"same", "same"}}, "250-same\r\n250 same\r\n", "equal lines"},
      {{250, {}}, "250 \r\n", "no text"},
      {{550, {"a\r\nDATA\n.\r\n"}}, "550 a??DATA?.??\r\n", "CR and LF"},
      {{550, {std::string("a\0b\x7f\x1b", 5)}}, "550 a?b??\r\n", "NUL, DEL, ESC"},
      {{550, {"\xc3\xbc"}}, "550 \xc3\xbc\r\n", "UTF-8 stays"},
      {{250, {std::string(600, 'x')}}, "250 " + std::string(506, 'x') + "\r\n", "RFC 5321 4.5.3.1.5"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(c.reply.wire(), c.wire) << c.why;
    ReplyParser parser;
    parser.receive(c.reply.wire());
    ASSERT_TRUE(parser.next().value()) << c.why;
    EXPECT_FALSE(parser.pending()) << c.why;
  }
  EXPECT_EQ((Reply{550, {"5.1.1 no\x1b[2J", "such user"}}).text(), "550 5.1.1 no?[2J such user");
}

}  // namespace
}  // namespace pinnace::smtp
