// RFC 3030: the text in chunks, and what a server may make of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client.hpp"
#include "smtp/test_peer.hpp"

namespace pinnace::smtp {
namespace {

using testing::ElementsAre;
using Why = Client::Failure::Why;
using Cut = TestPeer::Cut;

const std::string kPipelining = "250-mx.test\r\n250-PIPELINING\r\n250-BINARYMIME\r\n250 CHUNKING\r\n";
const std::string kPlain = "250-mx.test\r\n250 CHUNKING\r\n";
const std::string kTwo = "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\n";
const std::string kLast = "BDAT 4 LAST\r\nBODY", kMore = "BDAT 4\r\nBODY";

OutgoingEnvelope envelope(bool one_chunk) {
  OutgoingEnvelope out{"a@x.test", {"b@y.test", "c@y.test"}};
  out.one_chunk = one_chunk;
  return out;
}

TestPeer ready(const std::string& ehlo, const std::vector<Exchange>& more, std::size_t chunks,
               Cut cut = Cut::whole) {
  std::vector<Exchange> script = {{"EHLO relay.test\r\n", ehlo}};
  script.insert(script.end(), more.begin(), more.end());
  TestPeer p(Client::Tls::none, after_greeting(script), cut);
  p.chunks = chunks;
  EXPECT_EQ(p.run(), Client::Kind::ready);
  return p;
}

std::vector<int> codes(const Client& client) {
  std::vector<int> out;
  for (const Reply& r : client.results()) out.push_back(r.code);
  return out;
}

// RFC 2920 3.1, RFC 3030 4.2: envelope and text in one send, and each recipient has the reply that decided.
TEST(ClientChunking, AShortTextGoesWithItsEnvelopeWhateverTheServerSays) {
  const struct {
    const char* replies;
    std::vector<int> codes;
    bool reset;  // is the next transaction begun with RSET
    const char* why;
  } cases[] = {
      {"250 ok\r\n250 ok\r\n250 ok\r\n250 queued\r\n", {250, 250}, false, "all"},
      {"250 ok\r\n550 no\r\n250 ok\r\n250 queued\r\n", {550, 250}, false, "one"},
      {"250 ok\r\n452 no\r\n250 ok\r\n554 spam\r\n", {452, 554}, true, "the text refused for who was left"},
      {"250 ok\r\n250 ok\r\n250 ok\r\n451 later\r\n", {451, 451}, true, "the text put off"},
      {"250 ok\r\n550 no\r\n452 no\r\n503 none\r\n", {550, 452}, true, "nobody: BDAT comes out of turn"},
      {"250 ok\r\n550 no\r\n452 no\r\n554 none\r\n", {550, 452}, true, "nobody: BDAT has no recipient"},
      {"250 ok\r\n550 no\r\n551 no\r\n250 ok\r\n", {550, 551}, true, "nobody, and taken all the same"},
      {"452 full\r\n503 no\r\n503 no\r\n503 no\r\n", {452, 452}, true, "MAIL refused is why"},
      {"550 no\r\n250 ok\r\n250 ok\r\n250 ok\r\n", {550, 550}, true, "MAIL refused, and the rest taken"},
  };
  for (const auto& c : cases) {
    for (const auto cut : {Cut::whole, Cut::octets}) {
      TestPeer p =
          ready(kPipelining, {{kTwo + kLast, c.replies}, {c.reset ? "RSET\r\n" : kTwo + kLast, ""}}, 1, cut);
      p.client.begin(envelope(true));
      ASSERT_EQ(p.run(), Client::Kind::done) << c.why << p.client.failure().detail;
      EXPECT_EQ(codes(p.client), c.codes) << c.why;
      ASSERT_TRUE(p.client.reusable()) << c.why;
      p.client.begin(envelope(true));
      p.run();  // the script checks how it begins
    }
  }
}

TEST(ClientChunking, EachChunkHasAReply) {
  const std::string ok = "250 ok\r\n", three = ok + ok + ok;
  const struct {
    std::string ehlo;
    std::vector<Exchange> script;
    std::size_t chunks;
    std::vector<int> codes;
    const char* why;
  } cases[] = {
      {kPipelining, {{kTwo, three}, {kMore + kMore + kLast, three}}, 3, {250, 250}, "pipelined"},
      {kPipelining,
       {{kTwo, three}, {kMore + kMore + kLast, "250 ok\r\n552 5.3.4 full\r\n503 no\r\n"}, {"RSET\r\n", ""}},
       3,
       {552, 552},
       "refused in the middle"},
      {kPipelining,
       {{kTwo, three}, {kMore + kMore + kLast, "452 full\r\n250 ok\r\n250 ok\r\n"}, {"RSET\r\n", ""}},
       3,
       {452, 452},
       "a text with a hole is not delivered, whatever is said of its end"},
      {kPlain,
       {{"MAIL FROM:<a@x.test>\r\n", ok},
        {"RCPT TO:<b@y.test>\r\n", ok},
        {"RCPT TO:<c@y.test>\r\n", "550 no\r\n"},
        {kMore, ok},
        {kLast, ok}},
       2,
       {250, 550},
       "one at a time without PIPELINING"},
      {kPlain,
       {{"MAIL FROM:<a@x.test>\r\n", ok},
        {"RCPT TO:<b@y.test>\r\n", ok},
        {"RCPT TO:<c@y.test>\r\n", ok},
        {kMore, "552 full\r\n"},
        {"RSET\r\n", ""}},
       2,
       {552, 552},
       "nothing is sent after a refused chunk"},
      {kPipelining, {{kTwo, ok + "550 no\r\n551 no\r\n"}, {"RSET\r\n", ""}}, 2, {550, 551}, "to nobody"},
      {kPipelining, {{kTwo, three}, {kMore + kLast, ok + "421 bye\r\n"}}, 2, {421, 421}, "closing"},
      {kPipelining, {{kTwo, three}, {kMore + kLast, "421 bye\r\n"}}, 2, {421, 421}, "closing early"},
  };
  for (const auto& c : cases) {
    for (const auto cut : {Cut::whole, Cut::octets}) {
      TestPeer p = ready(c.ehlo, c.script, c.chunks, cut);
      p.client.begin(envelope(false));
      ASSERT_EQ(p.run(), Client::Kind::done) << c.why << p.client.failure().detail;
      EXPECT_EQ(codes(p.client), c.codes) << c.why;
      if (p.client.reusable()) p.client.begin(envelope(false));
      if (p.at < p.script.size()) p.run();
    }
  }
}

// RFC 2920 3.1: replies that nobody reads must not fill the network; and a refusal is heard in time.
TEST(ClientChunking, AtMostSoManyChunksAreUnderWay) {
  std::string first, ok = "250 ok\r\n";
  for (std::size_t i = 0; i < Client::kChunks; ++i) first += kMore;
  TestPeer p = ready(kPipelining, {{kTwo, ok + ok + ok}, {first, ok}, {kMore, "452 4.3.1 full\r\n"}}, 100);
  p.client.begin(envelope(false));
  EXPECT_EQ(p.run(), Client::Kind::failed) << "the script ends before all replies";
  EXPECT_EQ(p.at, p.script.size());
  EXPECT_EQ(p.sent, "") << "nothing after the refusal";
}

// Who has the whole text and did not answer may have the message: it is not tried again at once.
TEST(ClientChunking, FailuresOfTheSession) {
  const std::string ok = "250 ok\r\n";
  const struct {
    std::string replies;  // to envelope and text; then the connection ends
    Why why;
    bool unanswered;
    const char* text;
  } cases[] = {
      {"", Why::lost, true, "not a word"},
      {ok + ok + "550 no\r\n", Why::lost, true, "one recipient accepted"},
      {ok + "550 no\r\n550 no\r\n", Why::lost, false, "nobody is accepted"},
      {ok + "550 no\r\n", Why::lost, true, "the last recipient's reply is missing"},
      {"550 no\r\n", Why::lost, false, "MAIL is refused"},
      {"421 bye\r\n", Why::lost, false, "and the server closes"},
      {ok + ok + ok + "354 go\r\n", Why::protocol, false, "3yz in answer to the text"},
      {ok + ok + ok + "2", Why::lost, true, "in the middle of its answer"},
      {ok + ok + ok + "what\r\n", Why::protocol, true, "no answer, but noise"},
  };
  for (const auto& c : cases) {
    std::vector<Exchange> script;
    if (!c.replies.empty()) script = {{kTwo + kLast, c.replies}};
    TestPeer p = ready(kPipelining, script, 1);
    p.client.begin(envelope(true));
    ASSERT_EQ(p.run(), Client::Kind::failed) << c.text;
    EXPECT_EQ(p.client.failure().why, c.why) << c.text << ": " << p.client.failure().detail;
    EXPECT_EQ(p.client.failure().unanswered, c.unanswered) << c.text;
  }
}

// The text's write broke off: whatever the server has of it has no end.
TEST(ClientChunking, ATextThatBrokeOffIsNotUnanswered) {
  TestPeer p = ready(kPipelining, {}, 1);
  p.client.begin(envelope(true));
  ASSERT_EQ(p.client.next().kind, Client::Kind::send_body);
  p.client.chunk_head(4, true);
  p.client.peer_closed();
  ASSERT_EQ(p.client.next().kind, Client::Kind::failed);
  EXPECT_FALSE(p.client.failure().unanswered);
}

// RFC 3030 3
TEST(ClientChunking, BinaryGoesOnlyWhereItIsTaken) {
  const struct {
    std::string ehlo;
    bool chunking;
    std::string line;  // empty: refused without a word
    const char* why;
  } cases[] = {
      {kPipelining, true, "MAIL FROM:<a@x.test> BODY=BINARYMIME\r\n", "offered"},
      {kPlain, true, "", "CHUNKING alone is not enough"},
      {"250-mx.test\r\n250 BINARYMIME\r\n", true, "", "BINARYMIME goes with BDAT only"},
      {kPipelining, false, "", "chunking is switched off"},
      {"250-mx.test\r\n250 8BITMIME\r\n", true, "", "8-bit is not binary"},
  };
  for (const auto& c : cases) {
    TestPeer p = ready(c.ehlo, {{c.line + "RCPT TO:<b@y.test>\r\n", "550 no\r\n550 no\r\n"}}, 1);
    OutgoingEnvelope binary{"a@x.test", {"b@y.test"}};
    binary.body_binary = binary.body_8bit = true;
    binary.chunking = c.chunking;
    p.client.begin(binary);
    ASSERT_EQ(p.run(), Client::Kind::done) << c.why;
    EXPECT_EQ(p.client.results()[0].enhanced(), c.line.empty() ? "5.6.3" : "") << c.why;
    EXPECT_EQ(p.at == p.script.size(), !c.line.empty()) << c.why;
  }
}

TEST(ClientChunking, SwitchedOffItIsData) {
  TestPeer p =
      ready(kPipelining,
            {{kTwo + "DATA\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"}, {"BODY", "250 ok\r\n"}}, 1);
  OutgoingEnvelope plain = envelope(true);
  plain.chunking = false;
  p.client.begin(plain);
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_THAT(codes(p.client), ElementsAre(250, 250));
}

}  // namespace
}  // namespace pinnace::smtp
