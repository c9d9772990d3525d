// What a server keeps of the wishes for notices (RFC 3461), and what it answers to malformed ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/server.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ServerOptions with_dsn() {
  auto options = TestServer::options();
  options.dsn = true;
  return options;
}

// RFC 3461 3
TEST(ServerDsn, IsOfferedAndKept) {
  EXPECT_THAT(TestServer().talk("EHLO c\r\n"), Not(HasSubstr("DSN")));
  TestServer s(with_dsn());
  EXPECT_THAT(s.talk("EHLO c\r\n"), HasSubstr("250-DSN\r\n"));
  s.talk("MAIL FROM:<a@x.test> RET=HDRS ENVID=q+3D1\r\n");
  s.talk("RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B@y.test\r\n");
  EXPECT_EQ(s.server.mail_dsn().parameters(), " RET=HDRS ENVID=q+3D1");
  EXPECT_EQ(s.server.rcpt_dsn().parameters(false), " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B@y.test");
  s.talk("RCPT TO:<c@y.test>\r\n");
  EXPECT_EQ(s.server.rcpt_dsn().parameters(false), "") << "of one recipient, not the next";
  s.talk("RSET\r\nMAIL FROM:<a@x.test>\r\n");
  EXPECT_EQ(s.server.mail_dsn().parameters(), "") << "of one message, not the next";
}

// RFC 3461 5.1
TEST(ServerDsn, MalformedWishesAreRefused) {
  const std::string hello = "EHLO c\r\n", mail = "EHLO c\r\nMAIL FROM:<a@x.test>\r\n";
  const std::string utf8 = "EHLO c\r\nMAIL FROM:<a@x.test> SMTPUTF8\r\n";
  const struct {
    std::string before;
    std::string line;
    const char* reply;
    const char* why;
  } cases[] = {
      {hello, "MAIL FROM:<a@x.test> RET=SOME", "501 5.5.4", "RFC 3461 4.3"},
      {hello, "MAIL FROM:<a@x.test> ENVID=a ENVID=b", "501 5.5.4", "RFC 3461 4.5"},
      {hello, "MAIL FROM:<a@x.test> NOTIFY=NEVER", "555 5.5.4", "of RCPT"},
      {mail, "RCPT TO:<b@y.test> NOTIFY=NEVER,DELAY", "501 5.5.4", "RFC 3461 4.1"},
      {mail, "RCPT TO:<b@y.test> ORCPT=b@y.test", "501 5.5.4", "RFC 3461 4.2"},
      {mail, "RCPT TO:<b@y.test> RET=FULL", "555 5.5.4", "of MAIL"},
      {mail, "RCPT TO:<b@y.test> ORCPT=utf-8;\xc3\xbc@y.test", "501 5.5.4", "RFC 6533 3"},
      {utf8, "RCPT TO:<b@y.test> ORCPT=utf-8;\xc3\xbc@y.test", "250", "RFC 6533 3"},
      // RFC 3461 5.1: no answer is another for a wish that is well-formed
      {mail, "RCPT TO:<no@y.test> NOTIFY=NEVER", "550 5.1.1", "the recipient decides"},
      {hello, "MAIL FROM:<> RET=FULL ENVID=x", "250", "the null reverse-path may have wishes"},
      {mail, "RCPT TO:<b@y.test> ORCPT=rfc822;" + std::string(493, 'x') + " NOTIFY=SUCCESS,FAILURE,DELAY",
       "250", "RFC 3461 5.4"},
  };
  for (const auto& c : cases) {
    TestServer s(with_dsn());
    s.talk(c.before);
    EXPECT_THAT(s.talk(c.line + "\r\n"), StartsWith(c.reply)) << c.line << ": " << c.why;
    EXPECT_EQ(s.talk("NOOP\r\n"), "250 2.0.0 ok\r\n");
  }
}

}  // namespace
}  // namespace pinnace::smtp
