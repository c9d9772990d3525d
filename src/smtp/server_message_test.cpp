// The message's text: its end, what may stand in it, and one reply to each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/server.hpp"
#include "smtp/test_cuts.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

// What one server takes for the end of data and another does not (SMTP smuggling), at every cut.
TEST(ServerMessage, SmuggledMessagesAreRefusedWhole) {
  for (const char* end : {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r.\n"}) {
    const std::string message =
        std::string("t") + end + "MAIL FROM:<evil@x.test>\r\nRCPT TO:<v@y.test>\r\nDATA\r\nevil\r\n.\r\n";
    for (const auto& parts : all_cuts(message)) {
      TestServer s;
      s.open_data();
      std::string said;
      for (const auto& part : parts) said += s.talk(part);
      EXPECT_EQ(said, "554 5.6.0 the message has a bare CR or LF: lines end in CRLF\r\n")
          << testing::PrintToString(end);
      EXPECT_TRUE(s.messages.empty()) << testing::PrintToString(end);
      EXPECT_EQ(s.lines.size(), 2U) << "no command was taken out of the text";
      EXPECT_EQ(s.resets, 1);
      EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << "the session is still in step";
    }
  }
}

// RFC 2045 2.8; some servers drop it, and then read an end where none was.
TEST(ServerMessage, ANulIsRefused) {
  const std::string nul(1, '\0');
  for (const std::string& text : {nul, nul + ".", "." + nul, "a" + nul + "b"}) {
    for (const auto& parts : all_cuts("x\r\n" + text + "\r\n.\r\n")) {
      TestServer s;
      s.open_data();
      std::string said;
      for (const auto& part : parts) said += s.talk(part);
      EXPECT_EQ(said, "554 5.6.0 the message has a NUL\r\n") << testing::PrintToString(text);
      EXPECT_TRUE(s.messages.empty());
      EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << "the session is still in step";
    }
  }
}

// RFC 5321 4.5.3.1.6, 4.5.3.1.7, RFC 1870 6.3
TEST(ServerMessage, LimitsAreAnsweredAtTheTrueEnd) {
  auto options = TestServer::options();
  options.max_message_size = 2000;
  auto any_line = options;
  any_line.max_text_line = 0;
  const std::string line(998, 'x');
  const struct {
    ServerOptions options;
    std::string text;
    const char* reply;
    const char* why;
  } cases[] = {
      {options, line + "\r\n" + line + "\r\n", "250 2.0.0", "as large as may be"},
      {options, line + "\r\n" + line + "\r\n\r\n", "552 5.3.4", "two octets more"},
      {options, line + "x\r\n", "554 5.6.0", "a line of 999"},
      {options, "." + line + "\r\n", "250 2.0.0", "the dot of transparency does not count"},
      {any_line, line + "x\r\n", "250 2.0.0", "a front lets the server behind it judge"},
      {options, std::string(5000, 'x'), "552 5.3.4", "both"},
      {options, std::string(5000, 'x') + "\n", "554 5.6.0", "and a bare LF"},
  };
  for (const auto& c : cases) {
    TestServer s(c.options);
    s.open_data();
    std::string wire = c.text;
    if (!wire.ends_with("\r\n")) wire += "\r\n";
    EXPECT_EQ(s.talk(wire), "") << c.why << ": no word before the end";
    EXPECT_THAT(s.talk(".\r\nNOOP\r\n"),
                testing::MatchesRegex(std::string(c.reply) + " [^\n]*\n250 [^\n]*\n"))
        << c.why;
    EXPECT_EQ(s.messages.size(), c.reply[0] == '2' ? 1U : 0U) << c.why;
    EXPECT_EQ(s.resets, c.reply[0] == '2' ? 0 : 1) << c.why;
  }
}

TEST(ServerMessage, AnEmptyTextIsAMessage) {
  TestServer s;
  s.open_data();
  EXPECT_EQ(s.talk(".\r\n"), "250 2.0.0 queued\r\n");
  EXPECT_THAT(s.messages, ElementsAre(""));
}

TEST(ServerMessage, OctetsAreHandedOnAsTheyAre) {
  std::string all;
  for (int octet = 1; octet < 256; ++octet) {
    if (octet != '\r' && octet != '\n') all += static_cast<char>(octet);
  }
  all += "\r\n";
  TestServer s;
  s.open_data();
  s.talk(all + ".\r\n");
  EXPECT_THAT(s.messages, ElementsAre(all));
}

TEST(ServerMessage, TheOwnerDecidesAboutData) {
  TestServer s;
  s.to_data = Reply::make(452, "4.3.1 no room");
  EXPECT_THAT(s.open_data(), testing::EndsWith("452 4.3.1 no room\r\n"));
  EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << "no text is awaited";
  s.to_data = Reply::make(354, "go");
  EXPECT_THAT(s.talk("DATA\r\n"), StartsWith("354")) << "the transaction is still open";
}

// RFC 5321 4.1.1.4: whatever the answer, the transaction is over
TEST(ServerMessage, TheOwnersAnswerEndsTheTransaction) {
  for (const int code : {250, 451, 554}) {
    TestServer s;
    s.to_message = Reply::make(code, "so");
    s.open_data();
    EXPECT_EQ(s.talk("x\r\n.\r\n"), std::to_string(code) + " so\r\n");
    EXPECT_THAT(s.talk("DATA\r\n"), StartsWith("503"));
    EXPECT_THAT(s.talk("MAIL FROM:<>\r\n"), StartsWith("250"));
  }
  TestServer s;
  s.to_message = Reply::make(421, "4.3.2 gone");
  s.open_data();
  EXPECT_EQ(s.talk("x\r\n.\r\nNOOP\r\n"), "421 4.3.2 gone\r\n");
  EXPECT_TRUE(s.closed);
}

// A sender may make the search for the end as costly as it can: it stays a matter of octets.
TEST(ServerMessage, BareCrsWithoutEndCostNoMoreThanText) {
  TestServer s;
  s.open_data();
  const std::string crs(1 << 20, '\r');
  EXPECT_EQ(s.talk(crs), "");
  EXPECT_THAT(s.talk("\n.\r\n"), StartsWith("554 5.6.0"));
}

}  // namespace
}  // namespace pinnace::smtp
