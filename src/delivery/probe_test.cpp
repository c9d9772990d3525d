// What a probe makes of a server that never comes to TLS, over a real connection.
#include "delivery/probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/mail_host_fixture.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using namespace fixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

io::Task<void> look(Tools& tools, ProbeOrder order, std::optional<Probed>& out) {
  Probed found = co_await probe(tools, std::move(order));
  out = std::move(found);
  tools.loop.stop();
}

class ProbeTest : public testing::Test {
 protected:
  Probed probed(bool stsec, const std::vector<std::string>& replies) {
    io::Loop loop;  // the server's task is dropped with it
    auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
    settings.hostname = "relay.test";
    settings.port = listener.local().port;
    Tools tools{loop, clock, settings, {}, tls::TrustStore::system()};
    heard.clear();
    sessions = 0;
    std::optional<Probed> out;
    loop.spawn(serve(listener, replies, heard, sessions));
    loop.spawn(look(tools, {policy::decide(facts(stsec)), {}, "mx.x.test", listener.local().address}, out));
    while (!out) loop.run();
    loop.drop_tasks();
    return *out;
  }

  base::ManualClock clock{kNow};
  Settings settings;
  std::string heard;
  int sessions = 0;
};

TEST_F(ProbeTest, WithoutTls) {
  const std::string greeting = "220 mx.x.test\r\n", offer = "250-mx.x.test\r\n250 STARTTLS\r\n";
  const struct {
    const char* why;
    std::vector<std::string> replies;
    const char* no_tls;       // what it is told as
    bool broken;              // TLS was offered
    const char* unreachable;  // where there was no session to the end
    bool usable;              // where nothing demands TLS
    bool quits;
  } cases[] = {
      {"not offered",
       {greeting, "250 mx.x.test\r\n", "221 bye\r\n"},
       "does not offer STARTTLS",
       false,
       "",
       true,
       true},
      {"only HELO is known",
       {greeting, "500 what?\r\n", "250 mx.x.test\r\n", "221 bye\r\n"},
       "does not offer STARTTLS",
       false,
       "",
       true,
       true},
      {"refused",
       {greeting, offer, "454 4.7.0 not now\r\n", "221 bye\r\n"},
       "454 4.7.0 not now",
       true,
       "",
       true,
       true},
      {"CVE-2021-38371: replies are injected",
       {greeting, offer, "220 go\r\n250 mx.x.test\r\n"},
       "injecting",
       true,
       "injecting",
       false,
       false},
      {"no handshake follows: a delivery goes on without",
       {greeting, offer, "220 go\r\n", "550 what?\r\n"},
       "",
       true,
       "",
       true,
       false},
      {"the greeting refuses",
       {"554 5.7.1 not you\r\n", "221 bye\r\n"},
       "",
       false,
       "554 5.7.1 not you",
       false,
       true},
      {"it closes", {}, "", false, "mx.x.test", false, false},
  };
  for (const auto& c : cases) {
    const Probed p = probed(false, c.replies);
    EXPECT_THAT(p.no_tls, HasSubstr(c.no_tls)) << c.why;
    EXPECT_EQ(p.tls_broken, c.broken) << c.why;
    EXPECT_EQ(p.no_tls.empty(), !c.broken && *c.no_tls == '\0') << c.why;
    EXPECT_EQ(p.unreachable.empty(), *c.unreachable == '\0') << c.why << ": " << p.unreachable;
    EXPECT_THAT(p.unreachable, HasSubstr(c.unreachable)) << c.why;
    EXPECT_EQ(p.usable, c.usable) << c.why;
    EXPECT_EQ(heard.find("QUIT") != std::string::npos, c.quits) << c.why << ": " << heard;
    EXPECT_THAT(heard, Not(HasSubstr("MAIL"))) << c.why;
    EXPECT_EQ(sessions, 1) << c.why;  // what failed is not hidden by another try
    // The same under STSEC.
    EXPECT_FALSE(probed(true, c.replies).usable) << c.why;
  }
}

// A delivery's words, where it would be held up.
TEST_F(ProbeTest, ThePolicysVerdictIsADeliverys) {
  const Probed p = probed(true, {"220 mx.x.test\r\n", "250 mx.x.test\r\n", "221 bye\r\n"});
  EXPECT_EQ(p.verdict.status, "4.7.5");
  EXPECT_THAT(p.verdict.failed, ElementsAre(policy::Source::stsec));
  EXPECT_THAT(p.verdict.sentence, HasSubstr("TLS is a must"));
}

// pinning-protocol 1
TEST_F(ProbeTest, WhatIsAdvertisedInClearIsReported) {
  const Probed p = probed(
      false,
      {"220 mx.x.test\r\n", "250-mx.x.test\r\n250-PKP MAX-AGE=1\r\n250 STSEC MAX-AGE=1\r\n", "221 bye\r\n"});
  EXPECT_THAT(p.before_tls, ElementsAre("PKP", "STSEC"));
  EXPECT_FALSE(p.pins);
  EXPECT_FALSE(p.stsec);
  EXPECT_THAT(probed(false, {"220 mx.x.test\r\n", "250 mx.x.test\r\n"}).before_tls, IsEmpty());
}

// A server that drips gets no more than the time for all of it.
TEST_F(ProbeTest, ASilentServerIsLeft) {
  settings.opening_timeout = 100ms;
  const Probed p = probed(false, {"220-mx.x.test\r\n"});
  EXPECT_THAT(p.unreachable, HasSubstr("mx.x.test"));
  EXPECT_FALSE(p.refused);
  EXPECT_FALSE(p.usable);
}

}  // namespace
}  // namespace pinnace::delivery
