// AUTH, XCLIENT and TLS from the first octet on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "smtp/test_cuts.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using base::base64_encode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ServerOptions submission() {
  auto options = TestServer::options();
  options.auth = options.auth_required = true;
  options.tls_extensions.clear();
  return options;
}

struct InTls : TestServer {
  explicit InTls(ServerOptions o = submission()) : TestServer(std::move(o)) {
    talk("EHLO c.test\r\nSTARTTLS\r\n");
    greeting = talk("EHLO c.test\r\n");
  }
  std::string greeting;
};

std::string plain(const std::string& user, const std::string& password, const std::string& as = "") {
  return base64_encode(as + '\0' + user + '\0' + password);
}

// RFC 4954 3 and 4, RFC 6409 4.3, RFC 3207 4
TEST(ServerAuth, NeitherOfferedNorTakenBeforeTls) {
  TestServer s(submission());
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("AUTH")));
  EXPECT_THAT(s.talk("AUTH PLAIN " + plain("ann", "right") + "\r\n"), StartsWith("538 5.7.11 "));
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("530 5.7.0 STARTTLS"));
  EXPECT_TRUE(s.logins.empty());
  EXPECT_THAT(TestServer().talk("EHLO c\r\nAUTH PLAIN\r\n"), HasSubstr("502 5.5.1 "));
}

TEST(ServerAuth, MailWaitsForTheLogin) {
  InTls s;
  EXPECT_THAT(s.greeting, HasSubstr("AUTH PLAIN LOGIN\r\n"));
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("530 5.7.0 AUTH"));
  EXPECT_THAT(s.talk("AUTH PLAIN " + plain("ann", "right") + "\r\n"), StartsWith("235 2.7.0 "));
  EXPECT_EQ(s.server.user(), "ann");
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("250 "));
  EXPECT_THAT(s.talk("RSET\r\nAUTH PLAIN " + plain("bob", "right") + "\r\n"), HasSubstr("503 5.5.1 "))
      << "RFC 4954 4: once a session";
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("AUTH")));
  EXPECT_EQ(s.server.user(), "ann");
}

TEST(ServerAuth, Exchanges) {
  const std::string user = base64_encode("ann"), right = base64_encode("right");
  const struct {
    std::string said;
    const char* reply;
    bool known;
    const char* why;
  } kRows[] = {
      {"AUTH PLAIN " + plain("ann", "right"), "235 2.7.0 welcome\r\n", true, "initial response"},
      {"AUTH plain\r\n" + plain("ann", "right"), "334 \r\n235 2.7.0 welcome\r\n", true,
       "RFC 4954 4: empty challenge"},
      {"AUTH PLAIN " + plain("ann", "right", "ann"), "235 2.7.0 welcome\r\n", true, "as oneself"},
      {"AUTH PLAIN " + plain("ann", "right", "bob"), "535 5.7.8 ", false, "RFC 4616 2: as another"},
      {"AUTH PLAIN " + plain("ann", "wrong"), "535 5.7.8 no\r\n", false, "wrong password"},
      {"AUTH LOGIN\r\n" + user + "\r\n" + right,
       "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 welcome\r\n", true, "LOGIN"},
      {"AUTH LOGIN " + user + "\r\n" + right, "334 UGFzc3dvcmQ6\r\n235 2.7.0 welcome\r\n", true,
       "LOGIN with its initial response"},
      {"AUTH PLAIN\r\n*", "334 \r\n501 5.7.0 ", false, "RFC 4954 4: cancelled"},
      {"AUTH LOGIN\r\n" + user + "\r\n*", "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n501 5.7.0 ", false,
       "cancelled late"},
      {"AUTH PLAIN !!!", "501 5.5.2 ", false, "no base64"},
      {"AUTH PLAIN =", "501 5.5.2 ", false, "RFC 4954 4: an empty initial response"},
      {"AUTH PLAIN " + base64_encode("ann"), "501 5.5.2 ", false, "no NUL"},
      {"AUTH PLAIN " + base64_encode(std::string("\0ann\0r\0t", 8)), "501 5.5.2 ", false, "a NUL too many"},
      {"AUTH PLAIN " + plain("", "right"), "501 5.5.2 ", false, "no user"},
      {"AUTH PLAIN " + plain(std::string(256, 'a'), "right"), "501 5.5.2 ", false, "a user too long"},
      {"AUTH LOGIN\r\n" + base64_encode(std::string("a\0b", 3)) + "\r\n" + right,
       "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n501 5.5.2 ", false, "a NUL in LOGIN"},
      {"AUTH CRAM-MD5", "504 5.5.4 ", false, "another mechanism"},
      {"AUTH", "504 5.5.4 ", false, "no mechanism"},
  };
  for (const auto& row : kRows) {
    for (const auto& parts : all_cuts(row.said + "\r\n")) {
      InTls s;
      std::string said;
      for (const auto& part : parts) said += s.talk(part);
      EXPECT_THAT(said, StartsWith(row.reply)) << row.why;
      EXPECT_EQ(s.server.user(), row.known ? "ann" : "") << row.why;
      EXPECT_THAT(s.talk("NOOP\r\n"), StartsWith("250 ")) << row.why << ": the session is in step";
    }
  }
}

// RFC 4954 4: 12,288 octets; longer ends the exchange, and is not kept.
TEST(ServerAuth, AResponseIsBounded) {
  InTls s;
  s.talk("AUTH PLAIN\r\n");
  EXPECT_EQ(s.talk(std::string(12'000, 'A')), "");
  EXPECT_EQ(s.talk(std::string(1'000'000, 'A')), "");
  EXPECT_THAT(s.talk("\r\n"), StartsWith("500 5.5.6 "));
  EXPECT_THAT(s.talk("NOOP\r\n"), StartsWith("250 "));
  s.talk("AUTH PLAIN\r\n");
  EXPECT_THAT(s.talk(std::string(12'000, 'A') + "\r\n"), StartsWith("501 5.5.2 ")) << "it was read as one";
}

TEST(ServerAuth, AFewFailuresEndTheSession) {
  InTls s;
  const std::string wrong = "AUTH PLAIN " + plain("ann", "wrong") + "\r\n";
  for (int i = 0; i < 2; ++i) EXPECT_THAT(s.talk(wrong), StartsWith("535 5.7.8 "));
  EXPECT_FALSE(s.closed);
  EXPECT_THAT(s.talk(wrong + "AUTH PLAIN " + plain("ann", "right") + "\r\n"),
              testing::AllOf(HasSubstr("421 4.7.0 "), Not(HasSubstr("235"))));
  EXPECT_TRUE(s.closed);
}

// RFC 4954 5
TEST(ServerAuth, TheParameterOfMail) {
  for (const auto& [value, good] : std::initializer_list<std::pair<const char*, bool>>{
           {"<>", true}, {"e+3Dmc2@x.test", true}, {"nobody", false}, {"a+zz@x.test", false}, {"", false}}) {
    InTls s;
    s.talk("AUTH PLAIN " + plain("ann", "right") + "\r\n");
    EXPECT_THAT(s.talk(std::string("MAIL FROM:<a@x.test> AUTH=") + value + "\r\n"),
                StartsWith(good ? "250 " : "501 "))
        << value;
  }
  EXPECT_THAT(TestServer().talk("EHLO c\r\nMAIL FROM:<a@x.test> AUTH=<>\r\n"), HasSubstr("555 "));
}

// RFC 8314 3.3
TEST(ServerAuth, TlsFirst) {
  auto options = submission();
  options.tls_first = true;
  Server server(options);
  EXPECT_EQ(server.next().kind, Server::Kind::start_tls) << "not a word before";
  server.tls_established();
  const auto action = server.next();
  ASSERT_EQ(action.kind, Server::Kind::send);
  EXPECT_EQ(action.bytes, "220 mx.test ESMTP Pinnace\r\n");
  TestServer s(options);
  EXPECT_THAT(s.talk("EHLO c.test\r\n"),
              testing::AllOf(HasSubstr("AUTH PLAIN LOGIN"), Not(HasSubstr("STARTTLS"))));
}

TEST(ServerXclient, OnlyForFronts) {
  TestServer s;
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("XCLIENT")));
  EXPECT_THAT(s.talk("XCLIENT ADDR=192.0.2.1\r\n"), StartsWith("550 5.7.0 "));
  EXPECT_FALSE(s.named.address);
}

TEST(ServerXclient, TheSessionBeginsAnew) {
  auto options = submission();
  options.xclient = true;
  TestServer s(options);
  EXPECT_THAT(s.talk("EHLO front.test\r\n"),
              HasSubstr("250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n"));
  EXPECT_EQ(s.talk("XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=4711 PROTO=SMTP "
                   "HELO=spike+2Eporcupine.test LOGIN=ann DESTADDR=192.0.2.2 DESTPORT=587\r\n"),
            "220 mx.test ESMTP Pinnace\r\n");
  EXPECT_EQ(s.named.name, "");
  EXPECT_EQ(s.named.address, "2001:db8::1");
  EXPECT_EQ(s.named.port, 4711);
  EXPECT_EQ(s.named.local_address, "192.0.2.2");
  EXPECT_EQ(s.named.local_port, 587);
  EXPECT_EQ(s.server.user(), "ann");
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("503 ")) << "EHLO first, as after a greeting";
  EXPECT_THAT(s.talk("EHLO front.test\r\n"), StartsWith("250"));
  EXPECT_EQ(s.server.client_name(), "spike.porcupine.test") << "not the front's";
  EXPECT_FALSE(s.server.extended());
  EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>\r\n"), StartsWith("530 5.7.0 STARTTLS")) << "whoever says it";
}

// A front hands on what its client says: he would name an address that may relay, or keep the front's login.
TEST(ServerXclient, WhoIsNamedNamesNobodyElse) {
  auto options = TestServer::options();
  options.xclient = options.auth = true;
  TestServer s(options);
  s.talk("EHLO front.test\r\nSTARTTLS\r\n");
  s.talk("EHLO front.test\r\nAUTH PLAIN " + plain("front", "right") + "\r\n");
  EXPECT_EQ(s.server.user(), "front");
  EXPECT_THAT(s.talk("XCLIENT ADDR=192.0.2.1\r\n"), StartsWith("220 "));
  EXPECT_EQ(s.server.user(), "");
  EXPECT_THAT(s.talk("EHLO c.test\r\n"), Not(HasSubstr("XCLIENT")));
  EXPECT_THAT(s.talk("XCLIENT ADDR=127.0.0.1 LOGIN=ann\r\n"), StartsWith("550 5.7.0 "));
  EXPECT_EQ(s.named.address, "192.0.2.1");
  EXPECT_EQ(s.server.user(), "");
}

TEST(ServerXclient, BadOnesChangeNothing) {
  auto options = TestServer::options();
  options.xclient = true;
  for (const char* argument : {"", "ADDR", "ADDR=", "ADDR=a+1", "PORT=65536", "PORT=x", "PROTO=LMTP", "FOO=1",
                               "HELO=a+0D+0Ab", "NAME=a=b", "ADDR=192.0.2.1 FOO"}) {
    TestServer s(options);
    const bool fine = std::string_view(argument) == "ADDR=";
    EXPECT_THAT(s.talk(std::string("EHLO f\r\nXCLIENT ") + argument + "\r\n"),
                HasSubstr(fine ? "220 " : "501 "))
        << argument;
    EXPECT_EQ(s.named.port, std::nullopt);
  }
  TestServer s(options);
  s.talk("EHLO f\r\nMAIL FROM:<a@x.test>\r\n");
  EXPECT_THAT(s.talk("XCLIENT ADDR=192.0.2.1\r\n"), StartsWith("503 "));
}

}  // namespace
}  // namespace pinnace::smtp
