#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client.hpp"
#include "smtp/test_peer.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using Why = Client::Failure::Why;
using Cut = TestPeer::Cut;

const std::string kOffers = "250-lmtp.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n";
const std::string kEnvelope =
    "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nRCPT TO:<d@y.test>\r\n";
const std::string kTaken = "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n";

OutgoingEnvelope envelope(bool chunking) {
  OutgoingEnvelope out{"a@x.test", {"b@y.test", "c@y.test", "d@y.test"}};
  out.chunking = chunking;
  out.one_chunk = true;
  return out;
}

TestPeer ready(std::vector<Exchange> more, Cut cut = Cut::whole, const std::string& offers = kOffers) {
  std::vector<Exchange> script = {{"LHLO relay.test\r\n", offers}};
  script.insert(script.end(), more.begin(), more.end());
  TestPeer p(Client::Tls::none, after_greeting(script), cut, Client::Protocol::lmtp);
  EXPECT_EQ(p.run(), Client::Kind::ready);
  return p;
}

std::vector<int> codes(const Client& client) {
  std::vector<int> out;
  for (const Reply& r : client.results()) out.push_back(r.code);
  return out;
}

// RFC 2033 4.2, 4.3: after the text a reply for each recipient that was accepted, in the order of RCPT; what
// is behind the last of them is none.
TEST(ClientLmtp, AReplyForEachRecipientThatWasAccepted) {
  const struct {
    std::string rcpt;
    std::string end;
    std::vector<int> codes;
    bool reusable;
    const char* why;
  } cases[] = {
      {kTaken, "250 b\r\n250 c\r\n250 d\r\n", {250, 250, 250}, true, "all"},
      {kTaken, "250 b\r\n552 full\r\n451 busy\r\n", {250, 552, 451}, true, "each its own"},
      {"250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n", "452 c\r\n250 d\r\n", {550, 452, 250}, true, "the first"},
      {"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n", "250 b\r\n250 d\r\n", {250, 550, 250}, true, "the second"},
      {"250 ok\r\n250 ok\r\n550 no\r\n450 no\r\n", "554 b\r\n", {554, 550, 450}, true, "only one is left"},
      {kTaken, "250 b\r\n250 c\r\n250 d\r\n250 e\r\n", {250, 250, 250}, false, "one more than was asked for"},
  };
  for (const auto& c : cases) {
    for (const auto cut : {Cut::whole, Cut::octets}) {
      TestPeer data = ready({{kEnvelope + "DATA\r\n", c.rcpt + "354 go\r\n"}, {"BODY", c.end}}, cut);
      data.client.begin(envelope(false));
      ASSERT_EQ(data.run(), Client::Kind::done) << c.why;
      EXPECT_EQ(codes(data.client), c.codes) << c.why;
      if (cut == Cut::whole) EXPECT_EQ(data.client.reusable(), c.reusable) << c.why;
      // How often a last chunk is answered is known by the replies to RCPT: they are waited for.
      TestPeer bdat = ready({{kEnvelope, c.rcpt}, {"BDAT 4 LAST\r\nBODY", c.end}}, cut);
      bdat.client.begin(envelope(true));
      ASSERT_EQ(bdat.run(), Client::Kind::done) << c.why;
      EXPECT_EQ(codes(bdat.client), c.codes) << c.why;
    }
  }
}

TEST(ClientLmtp, ChunksAreAnsweredOneByOneAndARefusedOneIsForAll) {
  TestPeer p = ready({{kEnvelope, "250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n"},
                      {"BDAT 4\r\nBODY", "250 ok\r\n"},
                      {"BDAT 4 LAST\r\nBODY", "250 c\r\n552 full\r\n"},
                      {"RSET\r\n", "250 ok\r\n"},
                      {kEnvelope, kTaken},
                      {"BDAT 4\r\nBODY", "452 full\r\n"},
                      {"RSET\r\n", "250 ok\r\n"}});
  p.chunks = 2;
  p.client.begin(envelope(true));
  ASSERT_EQ(p.run(), Client::Kind::done) << p.client.failure().detail;
  EXPECT_THAT(codes(p.client), ElementsAre(550, 250, 552));
  p.client.begin(envelope(true));
  ASSERT_EQ(p.run(), Client::Kind::done) << p.client.failure().detail;
  EXPECT_THAT(codes(p.client), ElementsAre(452, 452, 452));
  p.client.begin(envelope(true));
  p.run();  // the script checks how it begins
}

// Those who were answered are, and no second message goes to them; the others are tried again later.
TEST(ClientLmtp, ASessionThatEndsBetweenTheReplies) {
  const struct {
    std::string rcpt;
    std::string end;
    std::vector<int> codes;
    const char* why;
  } cases[] = {
      {kTaken, "250 b\r\n", {250, 451, 451}, "closed"},
      {kTaken, "250 b\r\n550 c\r\n25", {250, 550, 451}, "in the middle of a reply"},
      {kTaken, "250 b\r\nhello\r\n", {250, 451, 451}, "what is no reply"},
      {kTaken, "250 b\r\n550 c\r\n354 go\r\n", {250, 550, 451}, "a reply that cannot be"},
      {kTaken, "250 b\r\n421 closing\r\n", {250, 421, 451}, "in good order"},
      {"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n", "250 b\r\n", {250, 550, 451}, "and one refused before"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready({{kEnvelope + "DATA\r\n", c.rcpt + "354 go\r\n"}, {"BODY", c.end}});
    p.client.begin(envelope(false));
    ASSERT_EQ(p.run(), Client::Kind::done) << c.why;
    EXPECT_EQ(codes(p.client), c.codes) << c.why;
    EXPECT_FALSE(p.client.reusable()) << c.why;
    for (const Reply& r : p.client.results()) {
      if (r.code == 451) EXPECT_EQ(r.enhanced(), "4.4.2") << c.why;
    }
  }
}

TEST(ClientLmtp, ASessionThatEndsBeforeTheFirstReplyMayHaveDelivered) {
  for (const bool chunking : {false, true}) {
    TestPeer p = ready({{kEnvelope + (chunking ? "" : "DATA\r\n"), kTaken + (chunking ? "" : "354 go\r\n")},
                        {chunking ? "BDAT 4 LAST\r\nBODY" : "BODY", "25"}});
    p.client.begin(envelope(chunking));
    ASSERT_EQ(p.run(), Client::Kind::failed);
    EXPECT_EQ(p.client.failure().why, Why::lost);
    EXPECT_TRUE(p.client.failure().unanswered);
  }
}

// RFC 2033 4.2: DATA must be refused where every recipient was.
TEST(ClientLmtp, NobodyIsLeft) {
  TestPeer p = ready(
      {{kEnvelope + "DATA\r\n", "250 ok\r\n550 b\r\n450 c\r\n550 d\r\n503 none\r\n"}, {"RSET\r\n", ""}});
  p.client.begin(envelope(false));
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(550, 450, 550));
  EXPECT_TRUE(p.client.reusable());
  TestPeer q = ready({{kEnvelope + "DATA\r\n", "250 ok\r\n550 b\r\n450 c\r\n550 d\r\n354 go\r\n"}});
  q.client.begin(envelope(false));
  ASSERT_EQ(q.run(), Client::Kind::done);
  EXPECT_THAT(codes(q.client), ElementsAre(550, 450, 550));
  EXPECT_FALSE(q.client.reusable()) << "it takes a text for nobody, and how that ends nobody knows";
}

TEST(ClientLmtp, AnAcceptanceBeforeTheEndIsNone) {
  TestPeer p = ready({});
  p.client.begin(envelope(false));
  p.client.next();
  p.client.receive(kTaken + "354 go\r\n");
  ASSERT_EQ(p.client.next().kind, Client::Kind::send_body);
  p.client.receive("250 b\r\n");
  p.client.body_sent();
  ASSERT_EQ(p.run(), Client::Kind::failed);
  EXPECT_EQ(p.client.failure().why, Why::protocol);
  EXPECT_TRUE(p.client.failure().unanswered);
}

// RFC 2033 4.1: neither EHLO nor HELO; inside TLS LHLO again.
TEST(ClientLmtp, Hello) {
  TestPeer refused(Client::Tls::none, after_greeting({{"LHLO relay.test\r\n", "500 what\r\n"}}), Cut::whole,
                   Client::Protocol::lmtp);
  ASSERT_EQ(refused.run(), Client::Kind::failed);
  EXPECT_EQ(refused.client.failure().why, Why::refused);
  TestPeer tls(Client::Tls::required,
               after_greeting({{"LHLO relay.test\r\n", "250-l.test\r\n250 STARTTLS\r\n"},
                               {"STARTTLS\r\n", "220 go\r\n"},
                               {"LHLO relay.test\r\n", kOffers}}),
               Cut::whole, Client::Protocol::lmtp);
  ASSERT_EQ(tls.run(), Client::Kind::ready) << tls.client.failure().detail;
  EXPECT_TRUE(tls.client.in_tls());
}

// As offered, as in SMTP (RFC 2033 4, RFC 6531 3.1, RFC 8689 2).
TEST(ClientLmtp, Parameters) {
  OutgoingEnvelope e{"a@x.test", {{"b@y.test", {{names::Notify::kFailure}, "rfc822;b@y.test"}}}};
  e.body_8bit = e.smtputf8 = true;
  e.size = 9;
  TestPeer p = ready({{"MAIL FROM:<a@x.test> SIZE=9 BODY=8BITMIME SMTPUTF8\r\n", "250 ok\r\n"},
                      {"RCPT TO:<b@y.test> NOTIFY=FAILURE ORCPT=rfc822;b@y.test\r\n", "550 no\r\n"}},
                     Cut::whole, "250-l.test\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n");
  p.client.begin(e);
  EXPECT_EQ(p.run(), Client::Kind::done);
}

}  // namespace
}  // namespace pinnace::smtp
