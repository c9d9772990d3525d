// Which sessions are resumed, and what binds them then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "delivery/mail_host_fixture.hpp"
#include "delivery/session.hpp"
#include "delivery/tls_host_fixture.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using namespace fixture;
using namespace tls::testing_certificates;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

io::Task<void> open_and_quit(Session& session, std::optional<Attempt<bool>>& out, io::Loop& loop) {
  out = co_await session.open();
  co_await session.quit();
  loop.stop();
}

class ResumptionTest : public testing::TestWithParam<int> {
 protected:
  struct Opened {
    Attempt<bool> result = false;
    std::string tls;
    std::vector<pins::Pin> chain;
  };
  ResumptionTest() { std::signal(SIGPIPE, SIG_IGN); }

  Opened open(TlsHost& host, const policy::Decision& decision) {
    io::Loop loop;
    settings.hostname = "relay.test";
    settings.port = host.port;
    settings.greeting_timeout = 5s;
    Tools tools{loop, clock, settings, {}, roots_of(root), cache};
    Session session(tools, std::make_shared<const policy::Decision>(decision),
                    Peer{"mx.x.test", {io::IpAddress::parse("127.0.0.1").value(), settings.port, {}}});
    std::optional<Attempt<bool>> out;
    loop.spawn(open_and_quit(session, out, loop));
    loop.run();
    loop.drop_tasks();
    return {out.value_or(false), session.tls_text(), session.handshake().chain.pins()};
  }
  policy::Decision decision(std::vector<pins::Pin> pins = {}, const char* rule = nullptr) const {
    policy::Facts f = facts(true);
    f.now = clock.now();
    f.stsec->expires = clock.now() + 1h;
    policy::Rule r(policy::Rule::Subject::host, policy::NamePattern::parse("mx.x.test").value());
    r.pins = std::move(pins);
    if (rule) r.level = policy::Level::webpki;
    if (rule || !r.pins.empty()) f.host_rule = std::make_shared<const policy::Rule>(std::move(r));
    return policy::decide(f);
  }

  // The certificates' dates are those of today.
  base::ManualClock clock{base::SystemClock().now()};
  Settings settings;
  Certificate root = make({"Root", "", true});
  Certificate leaf = make({"leaf", "DNS:mx.x.test", false, -kDay, kDay}, &root);
  std::shared_ptr<tls::SessionCache> cache = std::make_shared<tls::SessionCache>(std::chrono::days(7));
};
INSTANTIATE_TEST_SUITE_P(Versions, ResumptionTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(ResumptionTest, UnderTheSameDecisionAgainAndAgain) {
  TlsHost host(leaf, GetParam());
  const policy::Decision d = decision({leaf.pin()});
  const Opened first = open(host, d);
  ASSERT_TRUE(first.result) << first.result.error().reason;
  EXPECT_THAT(first.tls, Not(HasSubstr("resumed")));
  for (int i = 0; i < 3; ++i) {
    const Opened next = open(host, d);
    ASSERT_TRUE(next.result) << next.result.error().reason;
    EXPECT_THAT(next.tls, EndsWith("/resumed"));
    EXPECT_EQ(next.chain, first.chain);
  }
  EXPECT_EQ(host.resumed, 3);
  EXPECT_EQ(host.handshakes, 4);
  cache = nullptr;
  EXPECT_THAT(open(host, d).tls, Not(HasSubstr("resumed")));
}

// No policy inherits another's session: not one that asks for less, and not one whose pins are others.
TEST_P(ResumptionTest, NeverUnderAnotherDecision) {
  TlsHost host(leaf, GetParam());
  ASSERT_TRUE(open(host, decision()).result);
  ASSERT_TRUE(open(host, decision({leaf.pin()})).result);
  EXPECT_EQ(host.resumed, 0);
  const Opened other = open(host, decision({make({"other", ""}).pin()}));
  ASSERT_FALSE(other.result);
  EXPECT_EQ(other.result.error().status, "4.7.5");
  EXPECT_EQ(host.resumed, 0);
  const Opened again = open(host, decision({leaf.pin()}));
  EXPECT_TRUE(again.result);
  EXPECT_EQ(host.resumed, 1) << "its own is still there";
}

// Whoever takes the host's place has not the ticket's key, and must show his own.
TEST_P(ResumptionTest, AnInterceptorIsOfferedATicketAndCannotTakeIt) {
  const policy::Decision d = decision({leaf.pin()});
  const Certificate his = make({"his", "DNS:mx.x.test"}, &root);
  TlsHost host(leaf, GetParam());
  ASSERT_TRUE(open(host, d).result);
  host.show(his);
  unsigned char keys[80] = {1};
  SSL_CTX_set_tlsext_ticket_keys(host.context(), keys, sizeof keys);
  const Opened intercepted = open(host, d);
  ASSERT_FALSE(intercepted.result);
  EXPECT_EQ(intercepted.result.error().status, "4.7.5");
  EXPECT_EQ(host.resumed, 0);
}

TEST_P(ResumptionTest, WhatIsKeptIsJudgedByTheClockOfNow) {
  TlsHost host(leaf, GetParam());
  SSL_CTX_set_timeout(host.context(), 7 * kDay);
  const policy::Decision d = decision({}, "webpki");
  ASSERT_TRUE(open(host, d).result);
  clock.advance(36h);  // past the leaf's end
  const Opened over = open(host, d);
  ASSERT_FALSE(over.result);
  EXPECT_THAT(over.result.error().reason, HasSubstr("expired"));
  EXPECT_EQ(host.handshakes, 3) << "one that was resumed, then one in full";
  EXPECT_EQ(host.resumed, 1);
  // The host renews it: the next full handshake shows that.
  ASSERT_EQ(cache->size(), 0u);
  clock.set(base::SystemClock().now());
  ASSERT_TRUE(open(host, d).result);
  clock.advance(36h);
  const Certificate renewed = make({"leaf", "DNS:mx.x.test"}, &root);
  host.show(renewed);
  const Opened after = open(host, d);
  ASSERT_TRUE(after.result) << after.result.error().reason;
  EXPECT_EQ(host.resumed, 2);
  EXPECT_THAT(after.tls, Not(HasSubstr("resumed")));
  EXPECT_EQ(after.chain.front(), renewed.pin());
}

TEST_P(ResumptionTest, NotLongAfterTheProofHoweverOftenItWasResumed) {
  cache = std::make_shared<tls::SessionCache>(1h);
  TlsHost host(leaf, GetParam());
  const policy::Decision d = decision();
  for (int minutes = 0; minutes < 60; minutes += 20) {
    ASSERT_TRUE(open(host, d).result);
    clock.advance(20min);
  }
  EXPECT_EQ(host.resumed, 2);
  ASSERT_TRUE(open(host, d).result);
  EXPECT_EQ(host.resumed, 2) << "an hour after the first";
}

// Provisional pins become enforced by sessions in which the peer proved its key.
TEST_P(ResumptionTest, NotWhereEachHandshakeCounts) {
  TlsHost host(leaf, GetParam());
  policy::Decision d = decision({leaf.pin()});
  for (policy::Requirement& r : d.requirements) r.enforced = r.demand != policy::Demand::pins;
  EXPECT_FALSE(d.resumable());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(open(host, d).result);
  EXPECT_EQ(host.resumed, 0);
  EXPECT_EQ(cache->size(), 0u);
}

io::Task<void> open_only(Session& session, io::Loop& loop) {
  const auto opened = co_await session.open();
  EXPECT_TRUE(opened);
  loop.stop();
}

TEST_P(ResumptionTest, NoMessageBeginsInAConnectionThatIsTooOld) {
  TlsHost host(leaf, GetParam());
  io::Loop loop;
  settings.port = host.port;
  settings.connection_lifetime = 1h;
  Tools tools{loop, clock, settings, {}, roots_of(root), cache};
  Session session(tools, std::make_shared<const policy::Decision>(decision()),
                  Peer{"mx.x.test", {io::IpAddress::parse("127.0.0.1").value(), settings.port, {}}});
  EXPECT_FALSE(session.reusable()) << "not opened";
  loop.spawn(open_only(session, loop));
  loop.run();
  EXPECT_TRUE(session.reusable());
  clock.advance(1h - 1ms);
  EXPECT_TRUE(session.reusable());
  clock.advance(1ms);
  EXPECT_FALSE(session.reusable());
}

}  // namespace
}  // namespace pinnace::delivery
