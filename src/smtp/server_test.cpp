// The session: sequences, TLS, framing, limits and how it ends.
#include "smtp/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/test_cuts.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Server, WholeSessionCutAtEveryOctet) {
  const std::string session =
      "EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nhello\r\n..dot\r\n.\r\n"
      "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nsecond\r\n.\r\nQUIT\r\n";
  std::string all;
  for (const auto& parts : all_cuts(session)) {
    TestServer s;
    std::string said;
    for (const auto& part : parts) said += s.talk(part);
    EXPECT_THAT(s.messages, ElementsAre("hello\r\n.dot\r\n", "second\r\n"));
    EXPECT_TRUE(s.closed);
    EXPECT_EQ(s.resets, 0);
    if (all.empty()) all = said;
    EXPECT_EQ(said, all) << "how it was cut must not show";
  }
}

// RFC 5321 4.1.1.1, RFC 1870 3, RFC 6152 2, RFC 2920 3.2, RFC 2034 4
TEST(Server, EhloSaysWhatItCan) {
  TestServer s;
  EXPECT_EQ(s.said, "220 mx.test ESMTP Pinnace\r\n");
  EXPECT_EQ(s.talk("EHLO c.test\r\n"),
            "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
            "250-STARTTLS\r\n250 ENHANCEDSTATUSCODES\r\n");
  EXPECT_TRUE(s.server.extended());
  EXPECT_EQ(s.talk("HELO d.test\r\n"), "250 mx.test\r\n");
  EXPECT_FALSE(s.server.extended());
  EXPECT_EQ(s.server.client_name(), "d.test");
  auto options = TestServer::options();
  options.eight_bit_mime = false;
  options.starttls = false;
  options.max_message_size = 0;
  EXPECT_EQ(TestServer(options).talk("EHLO c\r\n"),
            "250-mx.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
      << "RFC 6531 3.1: SMTPUTF8 only with 8BITMIME";
}

// RFC 2920 3.2: one send for a group.
TEST(Server, PipelinedRepliesGoTogether) {
  TestServer s;
  s.talk("EHLO c.test\r\n");
  s.sends = 0;
  EXPECT_EQ(s.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<no@y.test>\r\nDATA\r\n"),
            "250 2.1.5 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n354 go\r\n");
  EXPECT_EQ(s.sends, 1);
  EXPECT_THAT(s.lines, ElementsAre("MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "RCPT TO:<no@y.test>"));
}

TEST(Server, RepliesHeldBackAreBounded) {
  auto options = TestServer::options();
  options.max_idle = 100'000;
  Server server(options);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "EHLO c\r\n";
  server.receive(many);
  std::size_t said = 0, most = 0;
  for (auto action = server.next(); action.kind == Server::Kind::send; action = server.next()) {
    said += action.bytes.size();
    most = std::max(most, action.bytes.size());
  }
  EXPECT_GT(said, 1'000'000U);
  EXPECT_LT(most, Server::kMaxReplies + 1024);
}

// RFC 3207 4.2, CVE-2011-0411, wherever the network cuts it
TEST(Server, NothingReceivedBeforeTlsSurvivesIt) {
  const std::string injected = "STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n";
  TestServer s;
  s.talk("EHLO c.test\r\n");
  EXPECT_THAT(s.talk(injected), StartsWith("554 5.5.1"));
  EXPECT_TRUE(s.closed);
  EXPECT_TRUE(s.lines.empty());
  EXPECT_FALSE(s.server.in_tls());

  // The injected octets come between the reply and the handshake.
  auto options = TestServer::options();
  Server server(options);
  server.receive("EHLO c.test\r\n");
  while (server.next().kind == Server::Kind::send) {
  }
  server.receive("STARTTLS\r\n");
  EXPECT_EQ(server.next().kind, Server::Kind::send);
  server.receive("EHLO evil.test\r\nMAIL FROM:<evil@x.test>\r\n");
  EXPECT_EQ(server.next().kind, Server::Kind::start_tls);
  server.tls_established();
  EXPECT_EQ(server.next().kind, Server::Kind::read);
  EXPECT_EQ(server.client_name(), "");
}

// RFC 3207 4.2
TEST(Server, EhloIsForgottenInTls) {
  TestServer s;
  s.talk("EHLO c.test\r\n");
  EXPECT_THAT(s.talk("STARTTLS\r\n"), StartsWith("220"));
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("503"));
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(s.talk("STARTTLS\r\n"), StartsWith("503"));
}

// pinning-protocol 1
TEST(Server, PinsAreSaidInsideTlsOnly) {
  TestServer s;
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("PKP")));
  s.talk("STARTTLS\r\n");
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), HasSubstr("250-PKP MAX-AGE=60\r\n"));
  EXPECT_THAT(s.talk("HELO c.test\r\n"), Not(HasSubstr("PKP")));
}

TEST(Server, RefusesAndGoesOn) {
  const std::string mail = "EHLO c\r\nMAIL FROM:<>\r\n";
  const struct {
    std::string before;
    std::string line;
    const char* reply;
    const char* why;
  } cases[] = {
      {"", "MAIL FROM:<a@x.test>", "503 5.5.1", "RFC 5321 4.1.4: EHLO first"},
      {"", "RCPT TO:<a@x.test>", "503 5.5.1", "MAIL first"},
      {"EHLO c\r\n", "RCPT TO:<a@x.test>", "503 5.5.1", "MAIL first"},
      {"EHLO c\r\n", "DATA", "503 5.5.1", "MAIL first"},
      {mail, "DATA", "503 5.5.1", "RCPT first"},
      {mail, "DATA x", "501 5.5.4", "no argument"},
      {mail + "RCPT TO:<no@x.test>\r\n", "DATA", "554 5.5.1", "RFC 2920 3.1: no valid recipient"},
      {mail, "MAIL FROM:<>", "503 5.5.1", "RFC 5321 4.1.4: nested MAIL"},
      {mail, "STARTTLS", "503 5.5.1", "in a transaction"},
      {mail + "RCPT TO:<a@x.test>\r\nRSET\r\n", "DATA", "503 5.5.1", "RFC 5321 4.1.1.5: RSET forgets"},
      {mail + "RCPT TO:<a@x.test>\r\nEHLO c\r\n", "DATA", "503 5.5.1", "RFC 5321 4.1.4: EHLO forgets"},
      {"EHLO c\r\nMAIL FROM:<no@x.test>\r\n", "RCPT TO:<a@x.test>", "503 5.5.1", "MAIL was refused"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=52428801", "552 5.3.4", "RFC 1870 6.1"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=99999999999999999999", "552 5.3.4", "RFC 1870 6.1"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=x", "501 5.5.4", "SIZE is a number"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=-1", "501 5.5.4", "SIZE is a number"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE", "501 5.5.4", "SIZE is a number"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> BODY=9BIT", "501 5.5.4", "RFC 6152 2"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> FOO=1", "555 5.5.4", "RFC 5321 4.1.1.11"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SMTPUTF8=1", "555 5.5.4", "RFC 6531 3.1: no value"},
      {"EHLO c\r\n", "MAIL FROM:<\xc3\xbc@x.test>", "550 5.6.7", "RFC 6531 3.5"},
      {"EHLO c\r\n", "MAIL FROM:a@x.test", "501 5.1.7", "no brackets"},
      {"EHLO c\r\n", "MAIL FROM:<a@\xc3\xbc.test>", "550 5.6.7", "RFC 6531 3.3: a U-label"},
      {mail, "RCPT TO:<\xc3\xbc@x.test>", "553 5.6.7", "RFC 6531 3.5"},
      {mail, "RCPT TO:<>", "501 5.1.3", "no recipient"},
      {mail, "RCPT TO:<a@x.test> FOO=1", "555 5.5.4", "RFC 5321 4.1.1.11"},
      {"", "EHLO", "501 5.5.4", "a name is due"},
      {"", "EHLO a b", "501 5.5.4", "one name"},
      {"", "EHLO " + std::string(256, 'a'), "501 5.5.4", "RFC 5321 4.5.3.1.2"},
      {"", "FOO", "500 5.5.1", "unknown verb"},
      {"", "", "500 5.5.1", "empty line"},
      {"EHLO c\r\n", "GET / HTTP/1.1", "500 5.5.1", "it has said EHLO: no browser"},
      {"", std::string(2048, 'x'), "500 5.5.2", "RFC 5321 4.5.3.1.4"},
      {"", std::string(9000, 'x'), "500 5.5.2", "RFC 5321 4.5.3.1.4"},
      {"", "VRFY a", "252", "RFC 5321 3.5.3"},
      {"", "VRFY", "501 5.5.4", "RFC 5321 4.1.1.6: of whom"},
      {"", "EXPN list", "502 5.5.1", "RFC 5321 3.5.2"},
      {"", "ETRN x.test", "502 5.5.1", "RFC 1985: nothing is queued for those who call"},
      {"", "HELP", "214", "RFC 5321 4.1.1.8"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> BODY=BINARYMIME", "501 5.5.4", "RFC 3030 3: not offered"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> BODY=7BIT BODY=8BITMIME", "501 5.5.4", "one of them"},
      {"", "RSET x", "501 5.5.4", "no argument"},
      {"", "QUIT x", "501 5.5.4", "no argument"},
      {"", "STARTTLS x", "501 5.5.4", "RFC 3207 4"},
  };
  for (const auto& c : cases) {
    TestServer s;
    s.talk(c.before);
    std::string said = s.talk(c.line);  // an over-long line comes in two pieces then
    said += s.talk("\r\n");
    EXPECT_THAT(said, StartsWith(c.reply)) << c.why;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << c.why;
    EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << c.why;
  }
}

TEST(Server, StarttlsThatIsNotOffered) {
  auto options = TestServer::options();
  options.starttls = false;
  TestServer s(options);
  EXPECT_THAT(s.talk("EHLO c\r\nSTARTTLS\r\n"), HasSubstr("502 5.5.1"));
  EXPECT_FALSE(s.server.in_tls());
}

TEST(Server, AFrontPassesParametersOn) {
  auto options = TestServer::options();
  options.pass_parameters = true;
  options.max_message_size = 0;
  TestServer s(options);
  EXPECT_THAT(s.talk("EHLO c\r\nMAIL FROM:<a@x.test> RET=HDRS SIZE=9\r\nRCPT TO:<b@y.test> NOTIFY=NEVER\r\n"),
              testing::EndsWith("250 2.1.5 ok\r\n250 2.1.5 ok\r\n"));
  EXPECT_THAT(s.lines,
              ElementsAre("MAIL FROM:<a@x.test> RET=HDRS SIZE=9", "RCPT TO:<b@y.test> NOTIFY=NEVER"));
}

TEST(Server, ParametersOfOneMailAreNotThoseOfTheNext) {
  TestServer s;
  s.talk("EHLO c\r\nMAIL FROM:<\xc3\xbc@x.test> SMTPUTF8 BODY=8bitmime\r\n");
  EXPECT_TRUE(s.server.smtputf8());
  EXPECT_TRUE(s.server.body_8bit());
  s.talk("RSET\r\nMAIL FROM:<a@x.test> BODY=7BIT\r\n");
  EXPECT_FALSE(s.server.smtputf8());
  EXPECT_FALSE(s.server.body_8bit());
}

// RFC 5321 2.3.8
TEST(Server, BareLineEndsAndNulEndTheSession) {
  const std::string cases[] = {
      "NOOP\n",
      "NO\rOP\r\n",
      std::string("NO\0OP\r\n", 7),
      "NOOP\r\r\n",
      "MAIL FROM:<a@x.test>\nRCPT TO:<b@x.test>\r\n",
      std::string(3000, 'x') + "\nNOOP\r\n",
  };
  for (const std::string& line : cases) {
    for (const auto& parts : line.size() > 100 ? decltype(all_cuts("")){{line}} : all_cuts(line)) {
      TestServer s;
      std::string said;
      for (const auto& part : parts) said += s.talk(part);
      EXPECT_THAT(said, StartsWith("500 5.5.2")) << line.substr(0, 40);
      EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << "nothing behind it is a command";
      EXPECT_TRUE(s.closed);
    }
  }
}

TEST(Server, AnOverLongLineIsNotKept) {
  TestServer s;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(s.talk(std::string(1000, 'x')), "");
  EXPECT_THAT(s.talk("\r\nNOOP\r\n"), testing::AllOf(StartsWith("500 5.5.2"), HasSubstr("250 2.0.0 ok")));
}

TEST(Server, WhatABrowserSendsIsNoMail) {
  for (const char* line : {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "PUT /x HTTP/1.0\r\n"}) {
    TestServer s;
    EXPECT_THAT(s.talk(std::string(line) + "EHLO c.test\r\n"), StartsWith("421"));
    EXPECT_TRUE(s.closed);
    EXPECT_EQ(s.server.client_name(), "");
  }
}

TEST(Server, TooManyErrorsEndTheSession) {
  TestServer s;
  std::string said;
  for (int i = 0; i < 20; ++i) said += s.talk("FOO\r\n");
  EXPECT_THAT(said, HasSubstr("421 4.7.0"));
  EXPECT_TRUE(s.closed);
}

TEST(Server, AMessageTakenForgivesErrors) {
  TestServer s;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 19; ++i) s.talk("FOO\r\n");
    s.open_data();
    EXPECT_THAT(s.talk("x\r\n.\r\n"), StartsWith("250"));
  }
  EXPECT_FALSE(s.closed);
}

TEST(Server, CommandsThatBringNoMessageNearerAreBounded) {
  for (const char* line : {"NOOP\r\n", "RSET\r\n", "EHLO c\r\n", "VRFY a\r\n", "HELP\r\n"}) {
    TestServer s;
    int taken = 0;
    while (!s.closed && ++taken < 1000) s.talk(line);
    EXPECT_EQ(taken, 120) << line << "100 for nothing, then 20 errors";
  }
  TestServer s;
  s.talk("EHLO c\r\nMAIL FROM:<>\r\n");
  int taken = 0;
  while (!s.closed && ++taken < 1000) s.talk("RCPT TO:<no@y.test>\r\n");
  EXPECT_LT(taken, 121) << "guessing addresses";
}

// RFC 5321 4.5.3.1.8, 4.5.3.1.10
TEST(Server, TooManyRecipientsAreNoError) {
  auto options = TestServer::options();
  options.max_recipients = 100;
  TestServer s(options);
  s.talk("EHLO c.test\r\nMAIL FROM:<>\r\n");
  for (int i = 0; i < 100; ++i) EXPECT_THAT(s.talk("RCPT TO:<b@y.test>\r\n"), StartsWith("250"));
  for (int i = 0; i < 500; ++i) EXPECT_THAT(s.talk("RCPT TO:<b@y.test>\r\n"), StartsWith("452 4.5.3"));
  EXPECT_THAT(s.talk("DATA\r\n"), StartsWith("354"));
}

// RFC 2920 3.1: the group was sent before its MAIL was answered
TEST(Server, AGroupBehindARefusedMailIsNoError) {
  TestServer s;
  std::string group = "EHLO c\r\nMAIL FROM:<no@x.test>\r\n";
  for (int i = 0; i < 90; ++i) group += "RCPT TO:<b@y.test>\r\n";
  s.talk(group + "DATA\r\n");
  EXPECT_FALSE(s.closed);
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("250"));
}

TEST(Server, ShutDownWaitsForTheAnswerThatIsDue) {
  TestServer s;
  s.open_data();
  s.shut_down_at = Server::Kind::body_end;
  EXPECT_EQ(s.talk("x\r\n.\r\nNOOP\r\n"), "250 2.0.0 queued\r\n421 4.3.2 mx.test is being restarted\r\n");
  EXPECT_TRUE(s.closed);
  EXPECT_EQ(s.messages.size(), 1U);
  EXPECT_EQ(s.resets, 0);
}

TEST(Server, ShutDownElsewhereIsAtOnce) {
  TestServer idle;
  idle.server.shut_down("waited too long");
  idle.server.shut_down("waited too long");
  EXPECT_EQ(idle.talk(""), "421 4.3.2 mx.test waited too long\r\n");
  EXPECT_TRUE(idle.closed);

  TestServer half;
  half.open_data();
  half.talk("half");
  half.server.shut_down("waited too long");
  EXPECT_THAT(half.talk("\r\n.\r\n"), StartsWith("421"));
  EXPECT_TRUE(half.messages.empty());
  EXPECT_EQ(half.resets, 1);
}

TEST(Server, LostConnectionResetsTheTransaction) {
  TestServer s;
  s.open_data();
  s.talk("half");
  s.server.peer_closed();
  EXPECT_EQ(s.talk(""), "");
  EXPECT_EQ(s.resets, 1);
  EXPECT_TRUE(s.closed);
  EXPECT_TRUE(s.messages.empty());
}

// RFC 5321 3.8
TEST(Server, QuitClosesAndNothingBehindItCounts) {
  TestServer s;
  EXPECT_EQ(s.talk("QUIT\r\nEHLO c.test\r\n"), "221 2.0.0 mx.test closing\r\n");
  EXPECT_TRUE(s.closed);
}

}  // namespace
}  // namespace pinnace::smtp
