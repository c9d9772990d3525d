// BDAT and BINARYMIME (RFC 3030): chunks of any size in any order of the network, in step whatever is
// refused.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/server.hpp"
#include "smtp/test_cuts.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ServerOptions chunking() {
  auto options = TestServer::options();
  options.chunking = true;
  return options;
}

const std::string kOpen = "EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n";
const std::string kOpenBinary =
    "EHLO c.test\r\nMAIL FROM:<a@x.test> BODY=BINARYMIME\r\nRCPT TO:<b@y.test>\r\n";

std::string chunk(const std::string& octets, const char* last = "") {
  return fmt::format("BDAT {}{}\r\n{}", octets.size(), last, octets);
}

// RFC 3030 2, 3
TEST(ServerBdat, IsOfferedWhereItIsTaken) {
  EXPECT_THAT(TestServer(chunking()).talk("EHLO c\r\n"),
              HasSubstr("250-8BITMIME\r\n250-CHUNKING\r\n250-BINARYMIME\r\n"));
  auto seven_bit = chunking();
  seven_bit.eight_bit_mime = false;
  EXPECT_THAT(TestServer(seven_bit).talk("EHLO c\r\n"),
              testing::AllOf(HasSubstr("CHUNKING"), Not(HasSubstr("BINARYMIME"))));
  TestServer s;
  EXPECT_THAT(s.talk("EHLO c\r\n"), Not(HasSubstr("CHUNKING")));
  EXPECT_THAT(s.talk("BDAT 6\r\nRSET\r\nNOOP\r\n"), StartsWith("502 5.5.1"));
  EXPECT_TRUE(s.closed) << "its octets would be read as commands";
}

// RFC 3030 4.1, 4.2, at every cut
TEST(ServerBdat, WholeSessionCutAtEveryOctet) {
  const std::string session = kOpen + chunk("To: b\r\n\r\n") + chunk(".\r\nQUIT\r\n") + "BDAT 0 LAST\r\n" +
                              "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\n" + chunk("one\r\n", " LAST") +
                              "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n";
  const std::string ok = "250 2.1.5 ok\r\n250 2.1.5 ok\r\n";
  for (const auto& parts : all_cuts(session)) {
    TestServer s(chunking());
    std::string said;
    for (const auto& part : parts) said += s.talk(part);
    EXPECT_THAT(s.messages, ElementsAre("To: b\r\n\r\n.\r\nQUIT\r\n", "one\r\n", "two\r\n"));
    EXPECT_THAT(said,
                EndsWith("ENHANCEDSTATUSCODES\r\n" + ok + "250 2.0.0 9 octets\r\n250 2.0.0 9 octets\r\n" +
                         "250 2.0.0 queued\r\n" + ok + "250 2.0.0 queued\r\n" + ok +
                         "354 go\r\n250 2.0.0 queued\r\n221 2.0.0 mx.test closing\r\n"));
    EXPECT_EQ(s.resets, 0);
    EXPECT_TRUE(s.closed);
  }
}

// RFC 2920 3.2, RFC 3030 4.2
TEST(ServerBdat, PipelinedRepliesGoTogether) {
  TestServer s(chunking());
  s.talk("EHLO c.test\r\n");
  s.sends = 0;
  s.talk(kOpen.substr(kOpen.find("MAIL")) + chunk("a\r\n") + chunk("b\r\n") + chunk("", " LAST"));
  EXPECT_EQ(s.sends, 1);
}

// RFC 3030 3: all bits of each octet
TEST(ServerBdat, ABinaryMessageIsKeptAsItIs) {
  std::string all;
  for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
  all += "\r\r\n\n\r" + std::string(5000, 'x') + "\r";
  TestServer s(chunking());
  s.talk(kOpenBinary);
  EXPECT_TRUE(s.server.body_binary());
  EXPECT_FALSE(s.server.body_8bit());
  EXPECT_EQ(s.talk(chunk(all) + chunk(all, " LAST")),
            fmt::format("250 2.0.0 {} octets\r\n250 2.0.0 queued\r\n", all.size()));
  EXPECT_THAT(s.messages, ElementsAre(all + all));
}

// What is sent on by DATA must be lines, or one server's text is the next one's command.
TEST(ServerBdat, TextIsHeldToWhatDataIs) {
  const std::string line(998, 'x');
  const struct {
    std::vector<std::string> chunks;
    const char* reply;
    const char* why;
  } cases[] = {
      {{"t\r\n.\r\nMAIL FROM:<evil@x.test>\r\n"},
       "250 2.0.0",
       "a dot alone is a line, which is doubled later"},
      {{"t\r", "\n"}, "250 2.0.0", "a line end in two chunks"},
      {{"t"}, "250 2.0.0", "a last line without its end"},
      {{""}, "250 2.0.0", "an empty text"},
      {{line.substr(1), "x\r\n"}, "250 2.0.0", "a line of 998"},
      {{line, "x\r\n"}, "554 5.6.0", "a line of 999 in two chunks"},
      {{"t\n.\n"}, "554 5.6.0", "bare LF"},
      {{"t\n.\r\nMAIL FROM:<evil@x.test>\r\n"}, "554 5.6.0", "bare LF before a dot"},
      {{"t\r.\r"}, "554 5.6.0", "bare CR"},
      {{"t\r"}, "554 5.6.0", "bare CR at the end"},
      {{"t\r", ""}, "554 5.6.0", "bare CR, and the end alone"},
      {{"t\r", "x\r\n"}, "554 5.6.0", "bare CR at a chunk's end"},
      {{"t\r\n", "\n"}, "554 5.6.0", "bare LF at a chunk's begin"},
  };
  for (const auto& c : cases) {
    TestServer s(chunking());
    s.talk(kOpen);
    std::string said, whole;
    for (std::size_t i = 0; i < c.chunks.size(); ++i) {
      said = s.talk(chunk(c.chunks[i], i + 1 == c.chunks.size() ? " LAST" : ""));
      whole += c.chunks[i];
    }
    EXPECT_THAT(said, StartsWith(c.reply)) << c.why;
    EXPECT_EQ(s.messages, c.reply[0] == '2' ? std::vector{whole} : std::vector<std::string>{}) << c.why;
    EXPECT_EQ(s.resets, c.reply[0] == '2' ? 0 : 1) << c.why;
    EXPECT_EQ(s.lines.size(), 2U) << c.why << ": no command was taken out of the text";
    EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << c.why << ": the session is still in step";
  }
}

// RFC 3030 2: the octets of what is refused are taken and thrown away, then it is said.
TEST(ServerBdat, RefusedChunksAreSwallowed) {
  auto options = chunking();
  options.max_message_size = 20;
  const std::string evil = "RSET\r\nMAIL FROM:<evil@x.test>\r\n";
  const std::string mail = "EHLO c\r\nMAIL FROM:<a@x.test>\r\n";
  const struct {
    std::string before;
    std::string sent;
    std::vector<std::string> replies;
    const char* why;
  } cases[] = {
      {"EHLO c\r\n", chunk(evil), {"503 5.5.1"}, "no MAIL"},
      {mail, chunk(evil, " LAST"), {"503 5.5.1"}, "no RCPT"},
      {mail + "RCPT TO:<no@y.test>\r\n",
       chunk(evil) + chunk(evil, " LAST"),
       {"554 5.5.1", "554 5.5.1"},
       "no valid recipient"},
      {"EHLO c\r\nMAIL FROM:<no@x.test>\r\n",
       "RCPT TO:<b@y.test>\r\n" + chunk(evil),
       {"503", "503 5.5.1"},
       "MAIL was refused"},
      {kOpen,
       chunk(evil) + chunk("x\r\n", " LAST"),
       {"552 5.3.4", "503 5.5.1"},
       "one too large, and one that was under way"},
      {kOpen,
       chunk("0123456789\r\n") + chunk("0123456789\r\n") + chunk("", " LAST"),
       {"250 2.0.0", "552 5.3.4", "503 5.5.1"},
       "too large together"},
      {kOpen, chunk("x\n") + chunk(evil), {"554 5.6.0", "503 5.5.1"}, "a bare LF"},
      {kOpen, chunk("x\r\n", " LAST") + chunk(evil), {"250 2.0.0", "503 5.5.1"}, "RFC 3030 2: behind LAST"},
      {kOpen,
       chunk("x\r\n") + "DATA\r\nRSET\r\n" + chunk(evil),
       {"250", "503 5.5.1", "250 2.0.0", "503 5.5.1"},
       "RFC 3030 2: DATA and BDAT"},
      {kOpen,
       chunk("x\r\n") + "RCPT TO:<c@y.test>\r\nMAIL FROM:<>\r\n",
       {"250", "503 5.5.1", "503 5.5.1"},
       "the envelope is closed"},
      {kOpenBinary, "DATA\r\n", {"503 5.5.1"}, "RFC 3030 3"},
  };
  for (const auto& c : cases) {
    for (const auto& parts : all_cuts(c.sent)) {
      TestServer s(options);
      s.talk(c.before);
      const std::size_t asked = s.lines.size();
      std::string said;
      for (const auto& part : parts) said += s.talk(part);
      std::size_t at = 0;
      for (const std::string& reply : c.replies) {
        EXPECT_THAT(said.substr(at), StartsWith(reply)) << c.why;
        at = said.find('\n', at) + 1;
      }
      EXPECT_EQ(at, said.size()) << c.why << ": one reply each";
      EXPECT_EQ(s.lines.size(), asked) << c.why << ": nothing in a chunk is a command";
      EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << c.why;
      s.talk("RSET\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n");
      EXPECT_EQ(s.talk(chunk("next\r\n", " LAST")), "250 2.0.0 queued\r\n") << c.why;
      ASSERT_FALSE(s.messages.empty());
      EXPECT_EQ(s.messages.back(), "next\r\n") << c.why;
    }
  }
}

TEST(ServerBdat, ASizeThatCannotBeReadEndsTheSession) {
  for (const char* argument :
       {" 18446744073709551616", " 99999999999999999999 LAST", " x", "", " 5 LAST 5"}) {
    TestServer s(chunking());
    s.talk(kOpen);
    const std::string said = s.talk(fmt::format("BDAT{}\r\nRSET\r\n", argument));
    EXPECT_THAT(said, StartsWith("501 5.5.4")) << argument;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << argument;
    EXPECT_TRUE(s.closed);
    EXPECT_EQ(s.resets, 1);
  }
}

// Any size may be said; only what may be taken is handed on, and nothing is kept.
TEST(ServerBdat, AChunkWithoutEndCostsNoMemory) {
  for (const std::string& before : {kOpen, std::string("EHLO c\r\n")}) {
    TestServer s(chunking());
    s.talk(before);
    s.talk("BDAT 18446744073709551615\r\n");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(s.talk(std::string(1 << 20, 'x')), "");
    EXPECT_EQ(s.text, "");
    s.server.shut_down("waited too long");
    EXPECT_EQ(s.talk(""), "421 4.3.2 mx.test waited too long\r\n");
    EXPECT_TRUE(s.closed);
  }
  auto unlimited = chunking();
  unlimited.max_message_size = 0;
  TestServer s(unlimited);
  s.talk(kOpen + chunk("x\r\n") + "BDAT 18446744073709551615\r\n");
  EXPECT_EQ(s.talk("y"), "");
  EXPECT_EQ(s.text, "x\r\ny") << "sizes add up without an overflow";
}

// RFC 3030 2
TEST(ServerBdat, RsetForgetsTheChunks) {
  TestServer s(chunking());
  s.talk(kOpen);
  EXPECT_THAT(s.talk(chunk("first\r\n") + "RSET\r\n"), EndsWith("250 2.0.0 reset\r\n"));
  EXPECT_EQ(s.resets, 1);
  s.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n" + chunk("second\r\n", " LAST"));
  EXPECT_THAT(s.messages, ElementsAre("second\r\n"));
  s.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n" + chunk("third\r\n") + "QUIT\r\n");
  EXPECT_TRUE(s.closed);
  EXPECT_EQ(s.resets, 2);
  EXPECT_EQ(s.messages.size(), 1U);
}

TEST(ServerBdat, TheOwnersRefusalComesBehindTheChunk) {
  TestServer s(chunking());
  s.to_data = Reply::make(452, "4.3.1 no room");
  s.talk(kOpen);
  EXPECT_EQ(s.talk("BDAT 6\r\nab"), "");
  EXPECT_EQ(s.talk("cd\r\nBDAT 6\r\nRSET\r\n"),
            "452 4.3.1 no room\r\n503 5.5.1 the transaction was refused: RSET or MAIL\r\n");
  EXPECT_EQ(s.resets, 1);
  EXPECT_EQ(s.text, "");
  s.to_data = Reply::make(421, "4.3.2 gone");
  s.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n");
  EXPECT_EQ(s.talk("BDAT 6\r\nab"), "421 4.3.2 gone\r\n");
  EXPECT_TRUE(s.closed);
}

TEST(ServerBdat, TheOwnersAnswerEndsTheTransaction) {
  TestServer s(chunking());
  s.to_message = Reply::make(451, "4.3.0 so");
  EXPECT_THAT(s.talk(kOpen + chunk("x\r\n", " LAST")), EndsWith("451 4.3.0 so\r\n"));
  EXPECT_THAT(s.talk("BDAT 0 LAST\r\n"), StartsWith("503 5.5.1 MAIL first"));
}

TEST(ServerBdat, ShutDownBetweenAndInChunks) {
  TestServer between(chunking());
  between.talk(kOpen + chunk("x\r\n"));
  between.server.shut_down("is being restarted");
  EXPECT_EQ(between.talk(""), "421 4.3.2 mx.test is being restarted\r\n");
  EXPECT_EQ(between.resets, 1);

  TestServer at_begin(chunking());
  at_begin.shut_down_at = Server::Kind::data;
  EXPECT_THAT(at_begin.talk(kOpen + chunk("x\r\n", " LAST")),
              EndsWith("421 4.3.2 mx.test is being restarted\r\n"));
  EXPECT_TRUE(at_begin.messages.empty());

  TestServer at_end(chunking());
  at_end.shut_down_at = Server::Kind::body_end;
  EXPECT_THAT(at_end.talk(kOpen + chunk("x\r\n", " LAST")),
              EndsWith("250 2.0.0 queued\r\n421 4.3.2 mx.test is being restarted\r\n"));
  EXPECT_EQ(at_end.messages.size(), 1U);
  EXPECT_EQ(at_end.resets, 0);
}

TEST(ServerBdat, LostConnectionResetsTheTransaction) {
  TestServer s(chunking());
  s.talk(kOpen + "BDAT 10\r\nhalf");
  s.server.peer_closed();
  EXPECT_EQ(s.talk(""), "");
  EXPECT_EQ(s.resets, 1);
  EXPECT_TRUE(s.closed);
}

TEST(ServerBdat, ChunksThatBringNothingAreBounded) {
  for (const std::string& before :
       {kOpen, std::string("EHLO c\r\n"), std::string("EHLO c\r\nMAIL FROM:<no@x.test>\r\n")}) {
    TestServer s(chunking());
    s.talk(before);
    int taken = 0;
    while (!s.closed && ++taken < 1000) s.talk("BDAT 0\r\n");
    EXPECT_LT(taken, 121) << before;
  }
}

}  // namespace
}  // namespace pinnace::smtp
