// RFC 8689 in both machines: what a server takes, and what a client asks of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/test_peer.hpp"
#include "smtp/test_server.hpp"

namespace pinnace::smtp {
namespace {

using testing::StartsWith;
using Tls = Client::Tls;

// RFC 8689 2
TEST(Requiretls, IsTakenInTlsOnly) {
  const std::string tls = "STARTTLS\r\n";
  const struct {
    bool offer;
    std::string before;
    std::string parameters;
    const char* reply;
    bool required;
    const char* why;
  } cases[] = {
      {true, tls, " REQUIRETLS", "250", true, "inside TLS"},
      {true, tls, " requiretls SIZE=9", "250", true, "in any case, with others"},
      {true, tls, "", "250", false, "not asked for"},
      {true, tls, " REQUIRETLS=yes", "501 5.5.4", false, "no value"},
      {true, tls, " REQUIRETLS REQUIRETLS=yes", "501 5.5.4", false, "no value the second time either"},
      {true, "", " REQUIRETLS", "555 5.5.4", false, "not before TLS"},
      {true, "", " REQUIRETLS=yes", "555 5.5.4", false, "not known before TLS, value or not"},
      {false, tls, " REQUIRETLS", "555 5.5.4", false, "not offered"},
  };
  for (const auto& c : cases) {
    auto options = TestServer::options();
    options.requiretls = c.offer;
    TestServer s(options);
    if (!c.before.empty()) s.talk("EHLO c.test\r\n" + c.before);
    const bool offered = s.talk("EHLO c.test\r\n").find("250-REQUIRETLS\r\n") != std::string::npos;
    EXPECT_EQ(offered, c.offer && !c.before.empty()) << c.why;
    EXPECT_THAT(s.talk("MAIL FROM:<a@x.test>" + c.parameters + "\r\n"), StartsWith(c.reply)) << c.why;
    EXPECT_EQ(s.server.requiretls(), c.required) << c.why;
    s.talk("RSET\r\nMAIL FROM:<a@x.test>\r\n");
    EXPECT_FALSE(s.server.requiretls()) << c.why << ": not the next message";
  }
}

// RFC 8689 4.2.1, 5
TEST(Requiretls, IsAskedOnlyOfWhoOffersItInTls) {
  const std::string with = "250-mx.test\r\n250-STARTTLS\r\n250 REQUIRETLS\r\n";
  const std::string without = "250-mx.test\r\n250 STARTTLS\r\n";
  const struct {
    Client::Tls tls;
    std::string plain;
    std::string inside;
    std::string from;
    bool requiretls;
    std::string line;  // empty: refused without a word
    const char* why;
  } cases[] = {
      {Tls::required, without, with, "a@x.test", true, "MAIL FROM:<a@x.test> REQUIRETLS\r\n", "offered"},
      {Tls::required, without, with, "a@x.test", false, "MAIL FROM:<a@x.test>\r\n", "offered and not wished"},
      {Tls::required, without, with, "", true, "MAIL FROM:<> REQUIRETLS\r\n", "a bounce, offered"},
      {Tls::required, with, without, "a@x.test", true, "", "what was offered before TLS does not count"},
      {Tls::required, with, without, "", true, "MAIL FROM:<>\r\n", "a bounce goes all the same"},
      {Tls::required, with, without, "a@x.test", false, "MAIL FROM:<a@x.test>\r\n", "not wished"},
      {Tls::none, with, "", "a@x.test", true, "", "no TLS"},
      {Tls::none, with, "", "", true, "MAIL FROM:<>\r\n", "no TLS: a bounce goes without"},
  };
  for (const auto& c : cases) {
    std::vector<Exchange> script = {{"EHLO relay.test\r\n", c.plain}};
    if (c.tls == Tls::required) {
      script.push_back({"STARTTLS\r\n", "220 go\r\n"});
      script.push_back({"EHLO relay.test\r\n", c.inside});
    }
    if (!c.line.empty()) script.push_back({c.line, "550 no\r\n"});
    TestPeer p(c.tls, after_greeting(script));
    ASSERT_EQ(p.run(), Client::Kind::ready) << c.why;
    OutgoingEnvelope e{c.from, {"b@y.test", "c@y.test"}, 0, false, false, c.requiretls};
    p.client.begin(e);
    ASSERT_EQ(p.run(), Client::Kind::done) << c.why;
    ASSERT_EQ(p.client.results().size(), 2U);
    for (const Reply& r : p.client.results()) {
      EXPECT_EQ(r.code, 550) << c.why;
      EXPECT_EQ(r.enhanced(), c.line.empty() ? "5.7.30" : "") << c.why;
    }
    EXPECT_EQ(p.at, p.script.size()) << c.why;
    EXPECT_TRUE(p.client.reusable()) << c.why;
  }
}

}  // namespace
}  // namespace pinnace::smtp
