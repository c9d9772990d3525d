// What a session makes of a server that never comes to TLS, over a real connection.
#include "delivery/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/mail_host_fixture.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using namespace fixture;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

io::Task<void> open(Session& session, std::optional<Attempt<bool>>& out, io::Loop& loop) {
  out = co_await session.open();
  loop.stop();
}

class SessionTest : public testing::Test {
 protected:
  // How the attempt ends; `heard` has what the server was told.
  Attempt<bool> attempt(bool stsec, const std::vector<std::string>& replies) {
    io::Loop loop;  // the server's task is dropped with it
    auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
    settings.hostname = "relay.test";
    settings.port = listener.local().port;
    settings.greeting_timeout = 5s;
    Tools tools{loop, clock, settings, {}, tls::TrustStore::system()};
    auto decision = std::make_shared<const policy::Decision>(policy::decide(facts(stsec)));
    Session session(tools, std::move(decision), {"mx.x.test", listener.local()});
    heard.clear();
    std::optional<Attempt<bool>> out;
    int sessions = 0;
    loop.spawn(serve(listener, replies, heard, sessions));
    loop.spawn(open(session, out, loop));
    while (!out) loop.run();
    loop.drop_tasks();
    return *out;
  }

  base::ManualClock clock{kNow};
  Settings settings;
  std::string heard;
};

// pinning-protocol 5.2: whoever speaks before the TLS that is a must may hold the mail up, never bounce it.
TEST_F(SessionTest, NothingSaidBeforeTheTlsThatIsAMustIsFinal) {
  const std::string greeting = "220 mx.x.test\r\n", offer = "250-mx.x.test\r\n250 STARTTLS\r\n";
  const struct {
    const char* why;
    std::vector<std::string> replies;
    const char* status;
  } cases[] = {
      {"the greeting refuses", {"554 5.7.1 not you\r\n"}, "4."},
      {"the greeting says that the host takes no mail", {"521 mx.x.test takes no mail\r\n"}, "4.3.2"},
      {"EHLO is refused", {greeting, "550 5.7.1 not you\r\n"}, "4.7.5"},
      {"STARTTLS is not offered", {greeting, "250 mx.x.test\r\n"}, "4.7.5"},
      {"STARTTLS is refused for good", {greeting, offer, "554 5.7.0 no TLS\r\n"}, "4.7.5"},
      {"replies are injected", {greeting, offer, "220 go\r\n250 mx.x.test\r\n"}, "4.7.5"},
      {"no handshake follows", {greeting, offer, "220 go\r\n", "550 5.1.1 nobody here\r\n"}, "4.7.5"},
  };
  for (const auto& c : cases) {
    const auto opened = attempt(true, c.replies);
    ASSERT_FALSE(opened) << c.why;
    EXPECT_FALSE(opened.error().permanent) << c.why;
    EXPECT_THAT(opened.error().status, StartsWith(c.status)) << c.why;
    EXPECT_THAT(heard, Not(HasSubstr("MAIL"))) << c.why;
  }
}

// RFC 5321 4.2: where nothing demands TLS, the same words are the server's own.
TEST_F(SessionTest, WhereNoTlsIsDemandedARefusalIsFinal) {
  const auto refused = attempt(false, {"554 5.7.1 not you\r\n"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().permanent);
  EXPECT_EQ(refused.error().status, "5.7.1");
  EXPECT_TRUE(attempt(false, {"220 mx.x.test\r\n", "250 mx.x.test\r\n"}));
  // RFC 7504 3: it never will; 421 is for now.
  const auto never = attempt(false, {"521 mx.x.test takes no mail\r\n"});
  ASSERT_FALSE(never);
  EXPECT_TRUE(never.error().permanent);
  EXPECT_EQ(never.error().status, "5.3.2");
  EXPECT_THAT(never.error().reason, HasSubstr("the host takes no mail"));
  const auto later = attempt(false, {"421 mx.x.test too busy\r\n"});
  ASSERT_FALSE(later);
  EXPECT_FALSE(later.error().permanent);
}

}  // namespace
}  // namespace pinnace::delivery
