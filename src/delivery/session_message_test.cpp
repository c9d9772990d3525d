// A message from the queue over a real connection: what the server is told, and what comes of its words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>

#include "delivery/mail_host_fixture.hpp"
#include "delivery/session.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using namespace fixture;
using testing::HasSubstr;
using testing::Not;
using Replies = Attempt<std::vector<smtp::Reply>>;

const std::string kGreeting = "220 mx.x.test\r\n", kPlain = "250 mx.x.test\r\n";
const std::string kAll =
    "250-mx.x.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n";

class SessionMessageTest : public testing::Test {
 protected:
  SessionMessageTest() {
    std::string name = testing::TempDir() + "pinnace_session_XXXXXX";
    folder = mkdtemp(name.data());
    settings.hostname = "relay.test";
    settings.greeting_timeout = settings.command_timeout = 5s;
    envelope.reverse_path = "a@from.test";
    envelope.recipients.emplace_back("b@x.test");
    db = std::move(store::Database::open(loop, folder, {}).value());
    queue = std::move(queue::Queue::open(loop, *db, clock, {}, [](const std::string&) {}).value());
  }
  ~SessionMessageTest() override {
    loop.drop_tasks();
    queue.reset();
    db.reset();
    std::filesystem::remove_all(folder);
  }

  // The message is taken in, and sent to a server of these replies. `usable`: is the session after it?
  Replies send(const std::string& text, const std::vector<std::string>& replies) {
    io::Listener& listener =
        listeners.emplace_back(io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value());
    settings.port = listener.local().port;
    Tools tools{loop, clock, settings, {}, tls::TrustStore::system()};
    auto decision = std::make_shared<const policy::Decision>(policy::decide(facts(false)));
    Session session(tools, std::move(decision), {"mx.x.test", listener.local()});
    heard.clear();
    std::optional<Replies> out;
    loop.spawn(serve(listener, replies, heard, sessions));
    loop.spawn(run(session, text, out));
    while (!out) loop.run();
    usable = session.reusable();
    return *out;
  }

  io::Task<void> run(Session& session, std::string text, std::optional<Replies>& out) {
    auto writer = queue->begin(envelope);
    const auto written = co_await writer.append(text);
    const auto stored = co_await writer.commit(body);
    const auto opened = co_await session.open();
    EXPECT_TRUE(written && stored && opened);
    const queue::Work work = queue->take("x.test").value();
    out = co_await session.send(*queue, work);
    loop.stop();
  }

  std::string folder, heard;
  base::ManualClock clock{kNow};
  Settings settings;
  queue::Envelope envelope;
  queue::BodyFacts body;
  io::Loop loop;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<queue::Queue> queue;
  std::deque<io::Listener> listeners;  // a server's task has it to its end
  int sessions = 0;
  bool usable = false;
};

// RFC 3030 4.2
TEST_F(SessionMessageTest, AShortMessageCostsOneRoundTrip) {
  const auto replies = send("S: x\r\n\r\n.\r\n", {kGreeting, kAll, "250 ok\r\n250 ok\r\n250 queued\r\n"});
  ASSERT_TRUE(replies) << replies.error().reason;
  EXPECT_EQ(replies->front().code, 250);
  EXPECT_TRUE(usable);
  EXPECT_EQ(heard,
            "EHLO relay.test\r\nMAIL FROM:<a@from.test>\r\nRCPT TO:<b@x.test>\r\nBDAT 11 LAST\r\nS: "
            "x\r\n\r\n.\r\n");
}

TEST_F(SessionMessageTest, AnEmptyTextIsAMessageToo) {
  const auto replies = send("", {kGreeting, kAll, "250 ok\r\n250 ok\r\n250 queued\r\n"});
  ASSERT_TRUE(replies) << replies.error().reason;
  EXPECT_THAT(heard, testing::EndsWith("BDAT 0 LAST\r\n"));
}

TEST_F(SessionMessageTest, WithoutChunkingItIsData) {
  settings.chunking = false;
  const auto replies =
      send("S: x\r\n\r\n.\r\n", {kGreeting, kAll, "250 ok\r\n250 ok\r\n354 go\r\n", "250 queued\r\n"});
  ASSERT_TRUE(replies) << replies.error().reason;
  EXPECT_THAT(heard, testing::EndsWith("DATA\r\nS: x\r\n\r\n..\r\n.\r\n"));
}

// What another server may read as the end of a message never goes out, in chunks or not.
TEST_F(SessionMessageTest, ABareLineEndIsNotSent) {
  for (const char* text :
       {"S: x\r\n\r\na\n.\r\nMAIL FROM:<evil@x.test>\r\n", "S: x\r\n\r\na\r.\r\n", "S: x\r"}) {
    for (const bool chunking : {true, false}) {
      settings.chunking = chunking;
      const auto replies = send(text, {kGreeting, kAll, "250 ok\r\n250 ok\r\n354 go\r\n"});
      ASSERT_FALSE(replies) << text;
      EXPECT_TRUE(replies.error().permanent);
      EXPECT_EQ(replies.error().status, "5.6.0");
      EXPECT_THAT(heard, Not(HasSubstr("S: x"))) << text;
      EXPECT_FALSE(usable);
    }
  }
}

// RFC 3030 3, RFC 6152 3, RFC 6531 3.2: it is this host's matter, and another may take it.
TEST_F(SessionMessageTest, WhatTheHostDoesNotOfferIsNoReplyOfIts) {
  const struct {
    bool binary, eight_bit, smtputf8;
    const char* status;
  } cases[] = {{true, true, false, "5.6.3"}, {false, true, false, "5.6.3"}, {false, true, true, "5.6.7"}};
  for (const auto& c : cases) {
    body.binary = c.binary;
    body.eight_bit = c.eight_bit;
    envelope.smtputf8 = c.smtputf8;
    const auto replies = send("S: \xc3\xbc\r\n\r\n", {kGreeting, kPlain});
    ASSERT_FALSE(replies);
    EXPECT_EQ(replies.error().status, c.status);
    EXPECT_TRUE(replies.error().permanent);
    EXPECT_TRUE(usable) << "for another message";
    EXPECT_THAT(heard, Not(HasSubstr("MAIL")));
  }
}

// RFC 6152 3, RFC 3030 3: what the host does not take of the text is written so that it does.
TEST_F(SessionMessageTest, TheTextIsConvertedForAHostThatDoesNotTakeIt) {
  const std::string head = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n";
  const std::string chunks = "250-mx.x.test\r\n250-SIZE 9999\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
  const std::string eight = "250-mx.x.test\r\n250-SIZE 9999\r\n250-PIPELINING\r\n250 8BITMIME\r\n";
  const std::string quoted = head + "Content-Transfer-Encoding: quoted-printable\r\n";
  const std::string base64 = head + "Content-Transfer-Encoding: base64\r\n";
  const struct {
    bool binary;
    std::string offers;
    std::string text;
    std::string sent;
    const char* why;
  } cases[] = {
      {false, kPlain, head + "\r\n\xc3\xbc\r\n", "MAIL FROM:<a@from.test>\r\n", "no 8BITMIME"},
      {false, kPlain, head + "\r\n\xc3\xbc\r\n", quoted + "\r\n=C3=BC\r\n.\r\n", "and by DATA"},
      {false, chunks, head + "\r\n\xc3\xbc\r\n", "MAIL FROM:<a@from.test>\r\n", "its size is not known"},
      {false, chunks, head + "\r\n\xc3\xbc\r\n", "BDAT 100 LAST\r\n" + quoted + "\r\n=C3=BC\r\n", "by BDAT"},
      {true, eight, head + "\r\n\xc3\xbc\n\r\n", "MAIL FROM:<a@from.test> BODY=8BITMIME\r\n",
       "no BINARYMIME"},
      {true, eight, head + "\r\n\xc3\xbc\n\r\n", base64 + "\r\nw7wKDQo=\r\n.\r\n", "text with a bare LF"},
      {true, eight, head + "\r\n\xc3\xbc\r\n", head + "\r\n\xc3\xbc\r\n.\r\n", "fits after all"},
  };
  body.eight_bit = true;
  for (const auto& c : cases) {
    body.binary = c.binary;
    const bool bdat = c.offers == chunks;
    const bool pipelining = c.offers != kPlain;
    const std::vector<std::string> replies =
        bdat         ? std::vector<std::string>{kGreeting, c.offers, "250 ok\r\n250 ok\r\n250 queued\r\n"}
        : pipelining ? std::vector<std::string>{kGreeting, c.offers, "250 ok\r\n250 ok\r\n354 go\r\n",
                                                "250 queued\r\n"}
                     : std::vector<std::string>{kGreeting,    c.offers,     "250 ok\r\n",
                                                "250 ok\r\n", "354 go\r\n", "250 queued\r\n"};
    const auto sent = send(c.text, replies);
    ASSERT_TRUE(sent) << c.why << ": " << sent.error().reason;
    EXPECT_EQ(sent->front().code, 250) << c.why;
    EXPECT_THAT(heard, HasSubstr(c.sent)) << c.why;
  }
}

TEST_F(SessionMessageTest, WhereTheOperatorWantsNoConversionThereIsNone) {
  settings.convert = false;
  body.eight_bit = true;
  const auto replies = send("MIME-Version: 1.0\r\n\r\n\xc3\xbc\r\n", {kGreeting, kPlain});
  ASSERT_FALSE(replies);
  EXPECT_EQ(replies.error().status, "5.6.3");
  EXPECT_THAT(heard, Not(HasSubstr("MAIL")));
}

TEST_F(SessionMessageTest, WhatCannotBeConvertedSaysWhy) {
  body.eight_bit = true;
  const auto replies =
      send("Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n\xc3\xbc\r\n--s--\r\n",
           {kGreeting, kPlain});
  ASSERT_FALSE(replies);
  EXPECT_TRUE(replies.error().permanent);
  EXPECT_EQ(replies.error().status, "5.6.3");
  EXPECT_THAT(replies.error().reason, HasSubstr("mx.x.test: the message needs 8BITMIME"));
  EXPECT_THAT(replies.error().reason, HasSubstr("signature would break"));
  EXPECT_TRUE(usable);
}

// RFC 6531 3.6
TEST_F(SessionMessageTest, Smtputf8ThatIsNotNeededIsNotSaid) {
  const std::string eight_bit = "250-mx.x.test\r\n250 8BITMIME\r\n";
  envelope.smtputf8 = true;
  body.eight_bit = true;
  const std::vector<std::string> replies = {kGreeting,    eight_bit,    "250 ok\r\n",
                                            "250 ok\r\n", "354 go\r\n", "250 queued\r\n"};
  const auto sent = send("S: x\r\n\r\n\xc3\xbc\r\n", replies);
  ASSERT_TRUE(sent) << sent.error().reason;
  EXPECT_THAT(heard, HasSubstr("MAIL FROM:<a@from.test> BODY=8BITMIME\r\n"));
  for (const bool in_address : {false, true}) {
    if (in_address) envelope.reverse_path = "\xc3\xbc@from.test";
    const auto refused = send(in_address ? "S: x\r\n\r\n" : "S: \xc3\xbc\r\n\r\n", replies);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().status, "5.6.7");
    EXPECT_THAT(heard, Not(HasSubstr("MAIL")));
  }
}

}  // namespace
}  // namespace pinnace::delivery
