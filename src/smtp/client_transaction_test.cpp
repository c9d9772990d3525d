#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client.hpp"
#include "smtp/test_peer.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using Why = Client::Failure::Why;
using Cut = TestPeer::Cut;

const std::string kPlain = "250 mx.test\r\n";
const std::string kPipelining = "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
const std::string kMail = "MAIL FROM:<a@x.test>\r\n";
const std::string kTwo = kMail + "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n";

OutgoingEnvelope envelope() { return {"a@x.test", {"b@y.test", "c@y.test"}, 0, false, false}; }

TestPeer ready(const std::string& ehlo, std::vector<Exchange> more, Cut cut = Cut::whole) {
  std::vector<Exchange> script = {{"EHLO relay.test\r\n", ehlo}};
  script.insert(script.end(), more.begin(), more.end());
  TestPeer p(Client::Tls::none, after_greeting(script), cut);
  EXPECT_EQ(p.run(), Client::Kind::ready);
  return p;
}

std::vector<int> codes(const Client& client) {
  std::vector<int> out;
  for (const Reply& r : client.results()) out.push_back(r.code);
  return out;
}

// RFC 2920 3.1, RFC 5321 3.3: each recipient has the reply that decided about it
TEST(ClientTransaction, PipelinedInOneSendWhateverTheServerSays) {
  const struct {
    std::vector<Exchange> script;
    std::vector<int> codes;
    bool reset;  // is the next transaction begun with RSET
    const char* why;
  } cases[] = {
      {{{kTwo, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"}, {"BODY", "250 queued\r\n"}},
       {250, 250},
       false,
       "all"},
      {{{kTwo, "250 ok\r\n251 ok\r\n550 no\r\n354 go\r\n"}, {"BODY", "250 queued\r\n"}},
       {250, 550},
       false,
       "one"},
      {{{kTwo, "250 ok\r\n452 no\r\n250 ok\r\n354 go\r\n"}, {"BODY", "554 spam\r\n"}},
       {452, 554},
       false,
       "the message is refused for who was left"},
      {{{kTwo, "250 ok\r\n550 no\r\n452 no\r\n554 none\r\n"}}, {550, 452}, true, "nobody"},
      {{{kTwo, "250 ok\r\n550 no\r\n550 no\r\n354 go\r\n"}, {".\r\n", "554 none\r\n"}},
       {550, 550},
       false,
       "nobody, and DATA taken all the same"},
      {{{kTwo, "250 ok\r\n550 no\r\n551 no\r\n354 go\r\n"}, {".\r\n", "250 ok\r\n"}},
       {550, 551},
       false,
       "an empty message taken is nobody's"},
      {{{kTwo, "452 full\r\n503 no\r\n503 no\r\n503 no\r\n"}}, {452, 452}, false, "MAIL refused is why"},
      {{{kTwo, "550 no\r\n250 ok\r\n250 ok\r\n354 go\r\n"}, {".\r\n", "554 no\r\n"}},
       {550, 550},
       false,
       "nothing is sent after a refused MAIL"},
      {{{kTwo, "250 ok\r\n250 ok\r\n550 no\r\n451 later\r\n"}}, {451, 550}, true, "DATA refused"},
  };
  for (const auto& c : cases) {
    for (const auto cut : {Cut::whole, Cut::octets}) {
      auto script = c.script;
      script.push_back({(c.reset ? "RSET\r\n" : kTwo), "250 ok\r\n"});
      TestPeer p = ready(kPipelining, script, cut);
      p.client.begin(envelope());
      ASSERT_EQ(p.run(), Client::Kind::done) << c.why << p.client.failure().detail;
      EXPECT_EQ(codes(p.client), c.codes) << c.why;
      ASSERT_TRUE(p.client.reusable()) << c.why;
      p.client.begin(envelope());
      p.run();  // the script checks how it begins
    }
  }
}

TEST(ClientTransaction, WithoutPipeliningOneCommandAtATime) {
  TestPeer p = ready(kPlain, {{kMail, "250 ok\r\n"},
                              {"RCPT TO:<b@y.test>\r\n", "550 no\r\n"},
                              {"RCPT TO:<c@y.test>\r\n", "452 full\r\n"},
                              {"RSET\r\n", "250 ok\r\n"},
                              {kMail, "250 ok\r\n"},
                              {"RCPT TO:<b@y.test>\r\n", "250 ok\r\n"},
                              {"RCPT TO:<c@y.test>\r\n", "550 no\r\n"},
                              {"DATA\r\n", "354 go\r\n"},
                              {"BODY", "250 queued\r\n"},
                              {kMail, "452 4.3.1 no\r\n"}});
  p.client.begin(envelope());
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(550, 452)) << "nobody: DATA is not asked for";
  p.client.begin(envelope());
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(250, 550));
  p.client.begin(envelope());
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(452, 452));
}

// RFC 2920 3.1: no more under way than the network holds
TEST(ClientTransaction, ManyRecipientsGoInGroups) {
  OutgoingEnvelope many{"a@x.test", std::vector<OutgoingRecipient>(250, "b@y.test"), 0, false, false};
  const auto lines = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += "RCPT TO:<b@y.test>\r\n";
    return out;
  };
  const auto replies = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += "250 ok\r\n";
    return out;
  };
  TestPeer p = ready(kPipelining, {{kMail + lines(99), replies(100)},
                                   {lines(100), replies(100)},
                                   {lines(51) + "DATA\r\n", replies(51) + "354 go\r\n"},
                                   {"BODY", "250 queued\r\n"},
                                   {kMail + lines(99), "552 no\r\n" + replies(99)}});
  p.client.begin(many);
  ASSERT_EQ(p.run(), Client::Kind::done) << p.client.failure().detail;
  EXPECT_EQ(codes(p.client), std::vector<int>(250, 250));
  p.client.begin(many);
  ASSERT_EQ(p.run(), Client::Kind::done) << "no second group after a refused MAIL";
  EXPECT_EQ(codes(p.client), std::vector<int>(250, 552));
}

// RFC 1870 6, RFC 6152 3, RFC 6531 3.4
TEST(ClientTransaction, ParametersOfMail) {
  const std::string all = "250-mx.test\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
  const struct {
    std::string ehlo;
    OutgoingEnvelope envelope;
    std::string line;
  } cases[] = {
      {all,
       {"a@x.test", {"b@y.test"}, 5, true, true},
       "MAIL FROM:<a@x.test> SIZE=5 BODY=8BITMIME SMTPUTF8\r\n"},
      {all, {"", {"b@y.test"}, 0, false, false}, "MAIL FROM:<>\r\n"},
      {kPlain, {"", {"b@y.test"}, 5, false, false}, "MAIL FROM:<>\r\n"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready(c.ehlo, {{c.line, "550 no\r\n"}});
    p.client.begin(c.envelope);
    EXPECT_EQ(p.run(), Client::Kind::done);
  }
}

// RFC 3461 5.2.1, 5.2.2: on exactly as it came to a server that offers DSN, and to no other. RFC 6533 3: an
// address in UTF-8 goes so only inside a message of SMTPUTF8.
TEST(ClientTransaction, WhatIsAskedOfNoticesGoesToWhoSendsThem) {
  const std::string dsn = "250-mx.test\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 DSN\r\n";
  using names::Notify;
  const RcptDsn never{{Notify::kNever}, ""};
  const RcptDsn all{{Notify::kSuccess | Notify::kFailure | Notify::kDelay}, "rfc822;Bob+2BX@y.test"};
  const RcptDsn utf8{{}, "utf-8;b\xc3\xbc@y.test"};
  const struct {
    std::string ehlo;
    MailDsn mail;
    RcptDsn rcpt;
    bool smtputf8;
    std::string lines;
  } cases[] = {
      {dsn,
       {names::Return::headers, "QQ+3D1"},
       all,
       false,
       "MAIL FROM:<a@x.test> RET=HDRS ENVID=QQ+3D1\r\nRCPT TO:<b@y.test> NOTIFY=SUCCESS,FAILURE,DELAY "
       "ORCPT=rfc822;Bob+2BX@y.test\r\n"},
      {dsn,
       {names::Return::full, ""},
       never,
       false,
       "MAIL FROM:<a@x.test> RET=FULL\r\nRCPT TO:<b@y.test> NOTIFY=NEVER\r\n"},
      {dsn, {}, {}, false, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"},
      {kPipelining, {names::Return::full, "Q"}, all, false, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"},
      {dsn, {}, utf8, false, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test> ORCPT=utf-8;b\\x{FC}@y.test\r\n"},
      {dsn,
       {},
       utf8,
       true,
       "MAIL FROM:<a@x.test> SMTPUTF8\r\nRCPT TO:<b@y.test> ORCPT=utf-8;b\xc3\xbc@y.test\r\n"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready(c.ehlo, {{c.lines + "DATA\r\n", "550 no\r\n503 no\r\n503 no\r\n"}});
    OutgoingEnvelope e{"a@x.test", {{"b@y.test", c.rcpt}}};
    e.dsn = c.mail;
    e.smtputf8 = c.smtputf8;
    p.client.begin(e);
    EXPECT_EQ(p.run(), Client::Kind::done);
  }
}

TEST(ClientTransaction, WhatTheServerCannotTakeIsNotSent) {
  const struct {
    OutgoingEnvelope envelope;
    const char* enhanced;
    const char* why;
  } cases[] = {
      {{"a@x.test", {"b@y.test"}, 0, true, false}, "5.6.3", "RFC 6152 3: no 8BITMIME"},
      {{"a@x.test", {"b@y.test"}, 0, false, true}, "5.6.7", "RFC 6531 3.2: no SMTPUTF8"},
      {{"a@x.test", {"b@y.test"}, 101, false, false}, "5.3.4", "RFC 1870 6.1: too large"},
      {{"a@x.test>\r\nRCPT TO:<evil@y.test", {"b@y.test"}, 0, false, false},
       "5.1.3",
       "a command in the path"},
      {{"", {"b@y.test>\r\nDATA\r\n"}, 0, false, false}, "5.1.3", "a command in the path"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready("250-mx.test\r\n250 SIZE 100\r\n", {});
    p.client.begin(c.envelope);
    ASSERT_EQ(p.run(), Client::Kind::done) << c.why;
    EXPECT_EQ(p.client.results()[0].enhanced(), c.enhanced) << c.why;
    EXPECT_TRUE(p.client.results()[0].permanent()) << c.why;
    EXPECT_EQ(p.sent, "") << c.why;
    EXPECT_TRUE(p.client.reusable()) << c.why;
  }
}

// RFC 5321 3.8
TEST(ClientTransaction, A421FromRcptOnAnswersEveryRecipientLeft) {
  const struct {
    std::vector<Exchange> script;
    std::vector<int> codes;
    const char* why;
  } cases[] = {
      {{{kTwo, "250 ok\r\n421 closing\r\n"}}, {421, 421}, "to the first"},
      {{{kTwo, "250 ok\r\n550 no\r\n421 closing\r\n"}}, {550, 421}, "to the second"},
      {{{kTwo, "250 ok\r\n250 ok\r\n550 no\r\n421 closing\r\n"}}, {421, 550}, "to DATA"},
      {{{kTwo, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"}, {"BODY", "421 closing\r\n"}},
       {421, 550},
       "to the end"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready(kPipelining, c.script);
    p.client.begin(envelope());
    ASSERT_EQ(p.run(), Client::Kind::done) << c.why;
    EXPECT_EQ(codes(p.client), c.codes) << c.why;
    EXPECT_EQ(p.run(), Client::Kind::ready);
    EXPECT_FALSE(p.client.reusable()) << c.why;
  }
}

TEST(ClientTransaction, FailuresOfTheSession) {
  const std::string taken = "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n";
  const struct {
    std::vector<Exchange> script;
    Why why;
    bool unanswered;
    const char* text;
  } cases[] = {
      {{}, Why::lost, false, "a kept session that the server closed meanwhile"},
      {{{kTwo, "421 idle too long\r\n"}}, Why::lost, false, "and said so"},
      {{{kTwo, "250 ok\r\n250 ok\r\n"}}, Why::lost, false, "in the envelope"},
      {{{kTwo, taken}}, Why::lost, true, "after the message was sent"},
      {{{kTwo, taken}, {"BODY", "250 "}}, Why::lost, true, "in the middle of its answer"},
      {{{kTwo, taken}, {"BODY", "354 go\r\n"}}, Why::protocol, false, "3yz in answer to a message"},
      {{{kTwo, "354 go\r\n"}}, Why::protocol, false, "3yz in answer to MAIL"},
      {{{kTwo, "250 ok\r\n354 go\r\n"}}, Why::protocol, false, "3yz in answer to RCPT"},
      {{{kTwo, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"}}, Why::protocol, false, "2yz in answer to DATA"},
      {{{kTwo, taken + "250 queued\r\n"}}, Why::protocol, false, "a message taken before it was sent"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready(kPipelining, c.script);
    p.client.begin(envelope());
    ASSERT_EQ(p.run(), Client::Kind::failed) << c.text;
    EXPECT_EQ(p.client.failure().why, c.why) << c.text << ": " << p.client.failure().detail;
    EXPECT_EQ(p.client.failure().unanswered, c.unanswered) << c.text;
    for (const int code : codes(p.client))
      EXPECT_TRUE(code == 0 || code == 250) << "nobody is refused by this";
  }
}

TEST(ClientTransaction, RsetRefusedSaysNothingAboutTheMail) {
  TestPeer p =
      ready(kPipelining, {{kTwo, "250 ok\r\n550 no\r\n550 no\r\n554 none\r\n"}, {"RSET\r\n", "550 no\r\n"}});
  p.client.begin(envelope());
  ASSERT_EQ(p.run(), Client::Kind::done);
  p.client.begin(envelope());
  ASSERT_EQ(p.run(), Client::Kind::failed);
  EXPECT_FALSE(p.client.failure().reply);
}

// Octets behind the last reply would be taken for answers to the next message.
TEST(ClientTransaction, NoReuseWithOctetsNobodyAskedFor) {
  for (const char* more : {"421 closing\r\n", "250 queued\r\n", "2"}) {
    TestPeer p = ready(kPipelining, {{kTwo, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"},
                                     {"BODY", std::string("250 queued\r\n") + more}});
    p.client.begin(envelope());
    ASSERT_EQ(p.run(), Client::Kind::done);
    EXPECT_THAT(codes(p.client), ElementsAre(250, 250)) << "what was taken is taken";
    EXPECT_FALSE(p.client.reusable()) << more;
    p.client.begin(envelope());
    EXPECT_EQ(p.run(), Client::Kind::failed) << more;
  }
}

// Up to the text, and what the server says while it is being sent.
TestPeer sending_text() {
  TestPeer p = ready(kPipelining, {});
  p.client.begin(envelope());
  p.client.next();
  p.client.receive("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
  EXPECT_EQ(p.client.next().kind, Client::Kind::send_body);
  return p;
}

TEST(ClientTransaction, ARefusalWhileTheTextIsSentCounts) {
  for (const bool closed : {false, true}) {
    TestPeer p = sending_text();
    p.client.receive("552 5.3.4 too large\r\n");
    if (closed) p.client.peer_closed();
    ASSERT_EQ(p.run(), Client::Kind::done);
    EXPECT_THAT(codes(p.client), ElementsAre(552, 550));
    EXPECT_FALSE(p.client.reusable()) << "the text has no end";
  }
  TestPeer p = sending_text();
  p.client.receive("552 5.3.4 too large\r\n");
  p.client.body_sent();
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(552, 550));
  EXPECT_EQ(p.run(), Client::Kind::ready);
  EXPECT_FALSE(p.client.reusable())
      << "the rest may be commands to it: its answers would be the next message's";
}

TEST(ClientTransaction, AnAcceptanceBeforeTheEndIsNone) {
  for (const char* part : {"250 queued\r\n", "25"}) {
    TestPeer p = sending_text();
    p.client.receive(part);
    p.client.body_sent();
    if (std::string_view(part) == "25") p.client.receive("0 queued\r\n");
    ASSERT_EQ(p.run(), Client::Kind::failed);
    EXPECT_EQ(p.client.failure().why, Why::protocol);
    EXPECT_TRUE(p.client.failure().unanswered);
  }
  TestPeer p = sending_text();
  p.client.receive("250 queued\r\n");
  EXPECT_EQ(p.client.next().kind, Client::Kind::failed);
}

TEST(ClientTransaction, AConnectionLostInTheTextIsLost) {
  TestPeer p = sending_text();
  p.client.peer_closed();
  ASSERT_EQ(p.run(), Client::Kind::failed);
  EXPECT_EQ(p.client.failure().why, Why::lost);
  EXPECT_FALSE(p.client.failure().unanswered) << "it had no end: nobody may have taken it";
}

}  // namespace
}  // namespace pinnace::smtp
