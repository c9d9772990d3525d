#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client.hpp"
#include "smtp/dot.hpp"
#include "smtp/reply.hpp"
#include "smtp/server.hpp"

namespace pinnace::smtp {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Every cut of `whole` into two, and octet by octet.
std::vector<std::vector<std::string>> all_cuts(const std::string& whole) {
  std::vector<std::vector<std::string>> out;
  for (std::size_t i = 0; i <= whole.size(); ++i) out.push_back({whole.substr(0, i), whole.substr(i)});
  std::vector<std::string> octets;
  for (const char c : whole) octets.emplace_back(1, c);
  out.push_back(octets);
  return out;
}

TEST(ReplyParser, EhloCutAtEveryOctet) {
  const std::string ehlo = "250-mx.test\r\n250-PKP MAX-AGE=60\r\n250 SIZE 100\r\n";
  for (const auto& parts : all_cuts(ehlo)) {
    ReplyParser parser;
    std::optional<Reply> reply;
    for (const std::string& part : parts) {
      parser.receive(part);
      if (auto got = parser.next().value()) reply = got;
    }
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->code, 250);
    const Capabilities c(*reply);
    EXPECT_THAT(c.parameters("PKP"), testing::ElementsAre("MAX-AGE=60"));
    EXPECT_EQ(c.size_limit(), 100U);
    EXPECT_FALSE(parser.pending());
  }
}

TEST(ReplyParser, RefusesWhatIsNoReply) {
  const struct {
    std::string bytes;
    const char* why;
  } cases[] = {
      {"250 ok\n", "bare LF"},
      {"250 o\rk\r\n", "bare CR"},
      {"25 ok\r\n", "two digits"},
      {"250_ok\r\n", "no separator"},
      {"650 ok\r\n", "code above 599"},
      {"150 ok\r\n", "code below 200"},
      {"250-a\r\n251 b\r\n", "RFC 5321 4.2.1: codes differ"},
      {"220 " + std::string(3000, 'x'), "line without end"},
      {"220 " + std::string(3000, 'x') + "\r\n", "over-long line"},
      {"\r\n", "empty line"},
  };
  for (const auto& c : cases) {
    ReplyParser parser;
    parser.receive(c.bytes);
    EXPECT_FALSE(parser.next()) << c.why;
  }
  ReplyParser parser;
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "250-xxxxxxxxxx\r\n";
  parser.receive(many);
  EXPECT_FALSE(parser.next()) << "more than 64 KiB";
}

TEST(Reply, EnhancedCodeAndWire) {
  EXPECT_EQ(Reply::make(550, "5.1.1 no such user").enhanced(), "5.1.1");
  EXPECT_EQ(Reply::make(250, "5.1.1 classes differ").enhanced(), "");
  EXPECT_EQ(Reply::make(550, "5.1111.1 x").enhanced(), "");
  EXPECT_EQ(Reply::make(550, "no code").enhanced(), "");
  const std::string wire = Reply{250, {"a\r\nDATA", std::string(600, 'x')}}.wire();
  EXPECT_THAT(wire, StartsWith("250-a??DATA\r\n250 xxx"));
  EXPECT_LE(wire.size() - wire.find('\n') - 1, 512U);
}

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
    EXPECT_TRUE(reader.ended() || buffer.size() <= 3);
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
      {"..\r\n..b\r\n.\r\n", ".\r\n.b\r\n", true, false, ""},
      {"a\n.\nMAIL FROM:<x>\r\n.\r\n", "a\n.\nMAIL FROM:<x>\r\n", true, true, ""},
      {"a\n.\r\nMAIL\r\n.\r\n", "a\n.\r\nMAIL\r\n", true, true, ""},
      {"a\r\n.\nMAIL\r\n.\r\n", "a\r\n\nMAIL\r\n", true, true, ""},
      {"a\r\n.\rMAIL\r\n.\r\n", "a\r\n\rMAIL\r\n", true, true, ""},
      {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, true, ""},
      {"a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true, true, ""},
      {"a\r\r\n.\r\n", "a\r\r\n", true, true, ""},
      {"a\r\n.\r", "a\r\n", false, false, ".\r"},
      {"abc", "abc", false, false, ""},
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

TEST(DotWriter, StuffsAndEndsAtEveryCut) {
  const struct {
    std::string text;
    std::string wire;
  } cases[] = {
      {"", ".\r\n"},
      {"a\r\n", "a\r\n.\r\n"},
      {"a", "a\r\n.\r\n"},
      {".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n"},
      {"\r\n.x\r\n", "\r\n..x\r\n.\r\n"},
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
  for (const char* bad : {"a\nb", "a\rb\r\n", "\n", "a\r\r\n", "a\r"}) {
    for (const auto& parts : all_cuts(bad)) {
      DotWriter writer;
      std::string wire;
      bool good = true;
      for (const auto& part : parts) good = good && writer.write(part, wire);
      EXPECT_FALSE(good && writer.finish(wire)) << testing::PrintToString(bad);
    }
  }
}

TEST(Command, PathsAndParameters) {
  const struct {
    const char* argument;
    const char* path;  // null: refused
    const char* why;
  } cases[] = {
      {"FROM:<a@X.test>", "a@x.test", "plain"},
      {"from:<a@x.test> SIZE=5 BODY=8BITMIME", "a@x.test", "parameters"},
      {"FROM:<>", "", "null reverse-path"},
      {"FROM: <a@x.test>", "a@x.test", "commonly sent space"},
      {"FROM:<@r.test,@s.test:a@x.test>", "a@x.test", "source route dropped"},
      {"FROM:<\"a>b\"@x.test>", "\"a>b\"@x.test", "bracket in quotes"},
      {"FROM:a@x.test", nullptr, "no brackets"},
      {"FROM:<a@x.test", nullptr, "open bracket"},
      {"FROM:<a@x.test>SIZE=5", nullptr, "no space"},
      {"FROM:<a@x.test> S!ZE=5", nullptr, "no keyword"},
      {"FROM:<a>", nullptr, "no domain"},
      {"TO:<a@x.test>", nullptr, "wrong verb"},
      {"", nullptr, "nothing"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_mail(c.argument);
    ASSERT_EQ(parsed.has_value(), c.path != nullptr) << c.why;
    if (parsed) {
      EXPECT_EQ(parsed->path, c.path) << c.why;
    }
  }
  EXPECT_EQ(parse_rcpt("TO:<PostMaster>", "mx.test")->path, "postmaster@mx.test");
  EXPECT_FALSE(parse_rcpt("TO:<>", "mx.test"));
}

// Drives a Server; accepts every address, and records what it hands out.
struct Session {
  explicit Session(ServerOptions o = options()) : server(std::move(o)) { run(); }
  static ServerOptions options() {
    ServerOptions o;
    o.hostname = "mx.test";
    o.starttls = true;
    o.tls_extensions = {"PKP MAX-AGE=60"};
    return o;
  }
  std::string talk(const std::string& bytes) {
    said.clear();
    server.receive(bytes);
    run();
    return said;
  }
  void run() {
    for (;;) {
      const auto action = server.next();
      switch (action.kind) {
        case Server::Kind::send:
          said += action.bytes;
          ++sends;
          break;
        case Server::Kind::read:
          return;
        case Server::Kind::start_tls:
          server.tls_established();
          break;
        case Server::Kind::mail:
          server.answer(Reply::make(250, "2.1.0 ok"));
          break;
        case Server::Kind::rcpt:
          server.answer(action.path->path.starts_with("no") ? Reply::make(550, "5.1.1 no")
                                                            : Reply::make(250, "2.1.5 ok"));
          break;
        case Server::Kind::data:
          server.answer(Reply::make(354, "go"));
          break;
        case Server::Kind::body:
          text += action.bytes;
          break;
        case Server::Kind::body_end:
          messages.push_back(std::exchange(text, ""));
          server.answer(Reply::make(250, "2.0.0 queued"));
          break;
        case Server::Kind::reset:
          text.clear();
          ++resets;
          break;
        case Server::Kind::close:
          closed = true;
          return;
      }
    }
  }
  Server server;
  std::string said;
  std::string text;
  std::vector<std::string> messages;
  int sends = 0;
  int resets = 0;
  bool closed = false;
};

TEST(Server, WholeSessionCutAtEveryOctet) {
  const std::string session =
      "EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nhello\r\n..dot\r\n.\r\n"
      "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nsecond\r\n.\r\nQUIT\r\n";
  for (const auto& parts : all_cuts(session)) {
    Session s;
    for (const auto& part : parts) s.talk(part);
    EXPECT_THAT(s.messages, testing::ElementsAre("hello\r\n.dot\r\n", "second\r\n"));
    EXPECT_TRUE(s.closed);
  }
}

// RFC 2920 3.2: one send for a group.
TEST(Server, PipelinedRepliesGoTogether) {
  Session s;
  s.talk("EHLO c.test\r\n");
  s.sends = 0;
  EXPECT_EQ(s.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<no@y.test>\r\nDATA\r\n"),
            "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n354 go\r\n");
  EXPECT_EQ(s.sends, 1);
}

TEST(Server, TenThousandPipelinedCommandsDoNotGrowTheStack) {
  Session s;
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "NOOP\r\n";
  EXPECT_EQ(s.talk(many).size(), 10'000 * std::string("250 2.0.0 ok\r\n").size());
}

// RFC 3207 4.2, CVE-2011-0411
TEST(Server, NothingBeforeTlsSurvivesIt) {
  Session s;
  s.talk("EHLO c.test\r\n");
  EXPECT_THAT(s.talk("STARTTLS\r\nMAIL FROM:<evil@x.test>\r\n"), StartsWith("554"));
  EXPECT_TRUE(s.closed);

  Session t;
  t.talk("EHLO c.test\r\n");
  EXPECT_THAT(t.talk("STARTTLS\r\n"), StartsWith("220"));
  EXPECT_THAT(t.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("503")) << "the EHLO before TLS is forgotten";
  const std::string ehlo = t.talk("EHLO c.test\r\n");
  EXPECT_THAT(ehlo, testing::Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(ehlo, HasSubstr("250-PKP MAX-AGE=60\r\n"));
  EXPECT_THAT(t.talk("STARTTLS\r\n"), StartsWith("503"));
}

TEST(Server, PinsAreNeverSaidBeforeTls) {
  Session s;
  const std::string ehlo = s.talk("EHLO c.test\r\n");
  EXPECT_THAT(ehlo, HasSubstr("STARTTLS"));
  EXPECT_THAT(ehlo, testing::Not(HasSubstr("PKP")));
}

TEST(Server, RefusesAndGoesOn) {
  const struct {
    const char* before;
    std::string line;
    const char* reply;
    const char* why;
  } cases[] = {
      {"", "MAIL FROM:<a@x.test>", "503 5.5.1", "EHLO first"},
      {"EHLO c\r\n", "RCPT TO:<a@x.test>", "503 5.5.1", "MAIL first"},
      {"EHLO c\r\n", "DATA", "503 5.5.1", "MAIL first"},
      {"EHLO c\r\nMAIL FROM:<>\r\n", "DATA", "503 5.5.1", "RCPT first"},
      {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<no@x.test>\r\n", "DATA", "554 5.5.1", "no valid recipient"},
      {"EHLO c\r\nMAIL FROM:<>\r\n", "MAIL FROM:<>", "503 5.5.1", "nested MAIL"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=999999999999", "552 5.3.4", "RFC 1870 6.1"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> SIZE=x", "501 5.5.4", "SIZE is a number"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> BODY=9BIT", "501 5.5.4", "RFC 6152 2"},
      {"EHLO c\r\n", "MAIL FROM:<a@x.test> FOO=1", "555 5.5.4", "unknown parameter"},
      {"EHLO c\r\n", "MAIL FROM:<\xc3\xbc@x.test>", "553 5.6.7", "RFC 6531 3.1"},
      {"EHLO c\r\nMAIL FROM:<>\r\n", "RCPT TO:<a@x.test> FOO=1", "555 5.5.4", "unknown parameter"},
      {"", "EHLO", "501 5.5.4", "a name is due"},
      {"", "FOO", "500 5.5.1", "unknown verb"},
      {"", std::string(3000, 'x'), "500 5.5.2", "RFC 5321 4.5.3.1.4"},
      {"", "VRFY a", "252", "RFC 5321 3.5.3"},
      {"", "RSET x", "501 5.5.4", "no argument"},
      {"", "STARTTLS x", "501 5.5.4", "RFC 3207 4"},
  };
  for (const auto& c : cases) {
    Session s;
    s.talk(c.before);
    EXPECT_THAT(s.talk(c.line + "\r\n"), StartsWith(c.reply)) << c.why;
    EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << c.why;
  }
}

TEST(Server, BareLineEndsAndNulEndTheSession) {
  for (const std::string& line :
       {std::string("NOOP\n"), std::string("NO\rOP\r\n"), std::string("NO\0OP\r\n", 7),
        std::string("MAIL FROM:<a@x.test>\nRCPT TO:<b@x.test>\r\n")}) {
    Session s;
    EXPECT_THAT(s.talk(line), StartsWith("500 5.5.2"));
    EXPECT_TRUE(s.closed);
  }
}

// What one server takes for the end of data and another does not (SMTP smuggling).
TEST(Server, SmuggledMessagesAreRefusedWhole) {
  for (const char* end : {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"}) {
    Session s;
    s.talk("EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
    const std::string reply = s.talk(
        std::string("text") + end + "MAIL FROM:<evil@x.test>\r\nRCPT TO:<v@y.test>\r\nDATA\r\nevil\r\n.\r\n");
    EXPECT_THAT(reply, StartsWith("554 5.6.0")) << testing::PrintToString(end);
    EXPECT_TRUE(s.messages.empty()) << testing::PrintToString(end);
    EXPECT_EQ(s.resets, 1);
    EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n") << "the session is still in step";
  }
}

TEST(Server, TooLargeAndTooLongLinesAreRefusedAtTheTrueEnd) {
  auto options = Session::options();
  options.max_message_size = 1000;
  Session s(options);
  s.talk("EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
  std::string big;
  for (int i = 0; i < 20; ++i) big += std::string(98, 'x') + "\r\n";
  EXPECT_THAT(s.talk(big + ".\r\n"), StartsWith("552 5.3.4"));
  Session t;
  t.talk("EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
  EXPECT_THAT(t.talk(std::string(998, 'x') + "\r\n.\r\n"), StartsWith("250"));
  t.talk("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
  EXPECT_THAT(t.talk(std::string(999, 'x') + "\r\n.\r\n"), StartsWith("554 5.6.0"));
}

TEST(Server, TooManyErrorsAndRecipientsAndHttp) {
  Session s;
  std::string said;
  for (int i = 0; i < 20; ++i) said += s.talk("FOO\r\n");
  EXPECT_THAT(said, HasSubstr("421 4.7.0"));
  EXPECT_TRUE(s.closed);

  auto options = Session::options();
  options.max_recipients = 1;
  Session t(options);
  t.talk("EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.test>\r\n");
  EXPECT_THAT(t.talk("RCPT TO:<b@x.test>\r\n"), StartsWith("452 4.5.3"));

  Session u;
  EXPECT_THAT(u.talk("POST / HTTP/1.1\r\nEHLO c.test\r\n"), StartsWith("421"));
  EXPECT_TRUE(u.closed);
}

TEST(Server, LostConnectionResetsTheTransaction) {
  Session s;
  s.talk("EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nhalf");
  s.server.peer_closed();
  s.run();
  EXPECT_EQ(s.resets, 1);
  EXPECT_TRUE(s.closed);
  EXPECT_TRUE(s.messages.empty());
}

// Plays the server's side from a script: what the client must say, and what it hears.
struct Exchange {
  std::string expect;
  std::string reply;
};

struct Peer {
  Peer(Client::Tls tls, std::vector<Exchange> s) : client("relay.test", tls), script(std::move(s)) {}
  // Runs until ready, done, failed or closed.
  Client::Kind run() {
    for (;;) {
      const auto action = client.next();
      switch (action.kind) {
        case Client::Kind::send:
          sent += action.bytes;
          break;
        case Client::Kind::read:
          if (at == script.size()) {
            client.peer_closed();
            break;
          }
          EXPECT_EQ(sent, script[at].expect);
          sent.clear();
          client.receive(script[at++].reply);
          break;
        case Client::Kind::start_tls:
          client.tls_established();
          break;
        case Client::Kind::send_body:
          sent += "BODY";
          client.body_sent();
          break;
        default:
          return action.kind;
      }
    }
  }
  Client client;
  std::vector<Exchange> script;
  std::size_t at = 0;
  std::string sent;
};

const std::string kPipelining = "250-mx.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n";

std::vector<Exchange> after_greeting(std::vector<Exchange> more) {
  std::vector<Exchange> all = {{"", "220 mx.test\r\n"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST(Client, TlsThenPipelinedTransactionThenReuse) {
  Peer p(Client::Tls::required,
         after_greeting({{"EHLO relay.test\r\n", "250-mx.test\r\n250-PKP X\r\n250 STARTTLS\r\n"},
                         {"STARTTLS\r\n", "220 go\r\n"},
                         {"EHLO relay.test\r\n", kPipelining},
                         {"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n",
                          "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n"},
                         {"BODY", "250 2.0.0 queued\r\n"},
                         {"MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"},
                         {"BODY", "451 4.3.0 later\r\n"},
                         {"QUIT\r\n", "221 bye\r\n"}}));
  ASSERT_EQ(p.run(), Client::Kind::ready) << p.client.failure().detail;
  EXPECT_TRUE(p.client.in_tls());
  EXPECT_FALSE(p.client.capabilities().has("PKP")) << "said before TLS only";
  EXPECT_TRUE(p.client.plain_capabilities().has("PKP"));
  p.client.begin({"a@x.test", {"b@y.test", "c@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_EQ(p.client.results()[0].code, 250);
  EXPECT_EQ(p.client.results()[0].lines[0], "2.0.0 queued");
  EXPECT_EQ(p.client.results()[1].code, 550);
  ASSERT_EQ(p.run(), Client::Kind::ready);
  ASSERT_TRUE(p.client.reusable());
  p.client.begin({"", {"b@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_EQ(p.client.results()[0].code, 451);
  p.client.quit();
  EXPECT_EQ(p.run(), Client::Kind::closed);
}

TEST(Client, WithoutPipeliningOneCommandAtATime) {
  Peer p(Client::Tls::none, after_greeting({{"EHLO relay.test\r\n", "250 mx.test\r\n"},
                                            {"MAIL FROM:<a@x.test>\r\n", "250 ok\r\n"},
                                            {"RCPT TO:<b@y.test>\r\n", "550 no\r\n"},
                                            {"RCPT TO:<c@y.test>\r\n", "452 full\r\n"},
                                            {"RSET\r\n", "250 ok\r\n"},
                                            {"MAIL FROM:<a@x.test>\r\n", "452 4.3.1 no\r\n"}}));
  ASSERT_EQ(p.run(), Client::Kind::ready);
  p.client.begin({"a@x.test", {"b@y.test", "c@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_EQ(p.client.results()[0].code, 550);
  EXPECT_EQ(p.client.results()[1].code, 452);
  p.run();
  p.client.begin({"a@x.test", {"b@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_EQ(p.client.results()[0].code, 452);
}

// RFC 2920 3.1
TEST(Client, PipelinedDataWithNoRecipientEndsEmpty) {
  Peer p(Client::Tls::none, after_greeting({{"EHLO relay.test\r\n", kPipelining},
                                            {"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n",
                                             "250 ok\r\n550 no\r\n354 go\r\n"},
                                            {".\r\n", "554 no recipients\r\n"}}));
  ASSERT_EQ(p.run(), Client::Kind::ready);
  p.client.begin({"a@x.test", {"b@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  EXPECT_EQ(p.client.results()[0].code, 550);
}

TEST(Client, EndsInFailureNamedByItsCause) {
  using Why = Client::Failure::Why;
  const std::string tls_offer = "250-mx.test\r\n250 STARTTLS\r\n";
  const struct {
    Client::Tls tls;
    std::vector<Exchange> script;
    Why why;
    const char* text;
  } cases[] = {
      {Client::Tls::required, {{"", "554 no\r\n"}}, Why::refused, "greeting"},
      {Client::Tls::required, {{"", "421 busy\r\n"}}, Why::lost, "421"},
      {Client::Tls::required, {}, Why::lost, "silence"},
      {Client::Tls::required, {{"", "220 x\n"}}, Why::protocol, "bare LF"},
      {Client::Tls::required, after_greeting({{"EHLO relay.test\r\n", "250 mx.test\r\n"}}), Why::no_starttls,
       "stripped"},
      {Client::Tls::required, after_greeting({{"EHLO relay.test\r\n", "502 no\r\n"}}), Why::refused,
       "no HELO where TLS is a must"},
      {Client::Tls::required,
       after_greeting({{"EHLO relay.test\r\n", tls_offer}, {"STARTTLS\r\n", "454 no\r\n"}}),
       Why::starttls_refused, "refused"},
      {Client::Tls::required,
       after_greeting({{"EHLO relay.test\r\n", tls_offer}, {"STARTTLS\r\n", "220 go\r\n250 forged\r\n"}}),
       Why::injected, "CVE-2021-38371"},
      {Client::Tls::opportunistic,
       after_greeting({{"EHLO relay.test\r\n", tls_offer}, {"STARTTLS\r\n", "220 go\r\n2"}}), Why::injected,
       "even half a reply"},
      {Client::Tls::required,
       after_greeting({{"EHLO relay.test\r\n", tls_offer},
                       {"STARTTLS\r\n", "220 go\r\n"},
                       {"EHLO relay.test\r\n", "502 no\r\n"}}),
       Why::refused, "no HELO inside TLS"},
  };
  for (const auto& c : cases) {
    Peer p(c.tls, c.script);
    ASSERT_EQ(p.run(), Client::Kind::failed) << c.text;
    EXPECT_EQ(p.client.failure().why, c.why) << c.text << ": " << p.client.failure().detail;
  }
}

TEST(Client, OpportunisticGoesOnWithoutTlsAndKnowsHelo) {
  Peer p(Client::Tls::opportunistic,
         after_greeting({{"EHLO relay.test\r\n", "502 no\r\n"}, {"HELO relay.test\r\n", "250 mx.test\r\n"}}));
  EXPECT_EQ(p.run(), Client::Kind::ready);
  Peer q(Client::Tls::opportunistic,
         after_greeting(
             {{"EHLO relay.test\r\n", "250-mx.test\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "454 no\r\n"}}));
  EXPECT_EQ(q.run(), Client::Kind::ready);
  EXPECT_FALSE(q.client.in_tls());
}

TEST(Client, WhatTheServerCannotTakeIsNotSent) {
  const struct {
    OutgoingEnvelope envelope;
    const char* enhanced;
  } cases[] = {
      {{"a@x.test", {"b@y.test"}, 0, true, false}, "5.6.3"},
      {{"a@x.test", {"b@y.test"}, 0, false, true}, "5.6.7"},
      {{"a@x.test", {"b@y.test"}, 101, false, false}, "5.3.4"},
  };
  for (const auto& c : cases) {
    Peer p(Client::Tls::none, after_greeting({{"EHLO relay.test\r\n", "250-mx.test\r\n250 SIZE 100\r\n"}}));
    ASSERT_EQ(p.run(), Client::Kind::ready);
    p.client.begin(c.envelope);
    ASSERT_EQ(p.run(), Client::Kind::done);
    EXPECT_EQ(p.client.results()[0].enhanced(), c.enhanced);
    EXPECT_EQ(p.sent, "");
  }
}

TEST(Client, ServerClosingInTheMiddleLeavesEveryRecipientAnswered) {
  Peer p(Client::Tls::none,
         after_greeting({{"EHLO relay.test\r\n", kPipelining},
                         {"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n",
                          "250 ok\r\n421 4.3.2 closing\r\n"}}));
  ASSERT_EQ(p.run(), Client::Kind::ready);
  p.client.begin({"a@x.test", {"b@y.test", "c@y.test"}, 0, false, false});
  ASSERT_EQ(p.run(), Client::Kind::done);
  for (const Reply& r : p.client.results()) EXPECT_EQ(r.code, 421);
  p.run();
  EXPECT_FALSE(p.client.reusable());
}

}  // namespace
}  // namespace pinnace::smtp
