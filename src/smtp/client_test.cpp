// The session: greeting, EHLO, STARTTLS, and each way it fails.
#include "smtp/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/test_peer.hpp"

namespace pinnace::smtp {
namespace {

using testing::HasSubstr;
using Why = Client::Failure::Why;
using Tls = Client::Tls;

const std::string kOffer = "250-mx.test\r\n250-PKP X\r\n250 STARTTLS\r\n";

// RFC 3207 4.2, pinning-protocol 1
TEST(Client, WhatWasSaidBeforeTlsDoesNotCountInside) {
  for (const auto cut : {TestPeer::Cut::whole, TestPeer::Cut::octets}) {
    TestPeer p(Tls::required,
               after_greeting({{"EHLO relay.test\r\n", kOffer},
                               {"STARTTLS\r\n", "220 go\r\n"},
                               {"EHLO relay.test\r\n", "250-mx.test\r\n250 SIZE 5\r\n"},
                               {"QUIT\r\n", "221 bye\r\n"}}),
               cut);
    ASSERT_EQ(p.run(), Client::Kind::ready) << p.client.failure().detail;
    EXPECT_TRUE(p.client.in_tls());
    EXPECT_FALSE(p.client.capabilities().has("PKP"));
    EXPECT_TRUE(p.client.capabilities().has("SIZE"));
    EXPECT_TRUE(p.client.plain_capabilities().has("PKP")) << "to be reported";
    EXPECT_TRUE(p.client.reusable());
    p.client.quit();
    EXPECT_EQ(p.run(), Client::Kind::closed);
  }
}

// RFC 3207 4.2
TEST(Client, AnOfferOfStarttlsInsideTlsIsNotTaken) {
  for (const Tls tls : {Tls::required, Tls::opportunistic}) {
    TestPeer p(tls, after_greeting({{"EHLO relay.test\r\n", kOffer},
                                    {"STARTTLS\r\n", "220 go\r\n"},
                                    {"EHLO relay.test\r\n", kOffer}}));
    EXPECT_EQ(p.run(), Client::Kind::ready) << p.client.failure().detail;
    EXPECT_TRUE(p.client.in_tls());
    EXPECT_EQ(p.sent, "") << "not a word more";
  }
}

TEST(Client, EndsInFailureNamedByItsCause) {
  const std::string ehlo = "EHLO relay.test\r\n";
  const struct {
    Tls tls;
    std::vector<Exchange> script;
    Why why;
    const char* text;
  } cases[] = {
      {Tls::required, {{"", "554 5.7.1 not you\r\n"}}, Why::refused, "greeting"},
      {Tls::required, {{"", "250 mx.test\r\n"}}, Why::refused, "RFC 5321 4.3.2: a greeting is 220"},
      {Tls::required, {{"", "421 busy\r\n"}}, Why::lost, "421"},
      {Tls::required, {}, Why::lost, "closed at once"},
      {Tls::required, {{"", "22"}}, Why::lost, "closed in the middle of a reply"},
      {Tls::required, {{"", "220 x\n"}}, Why::protocol, "bare LF"},
      {Tls::required, {{"", "SSH-2.0-x\r\n"}}, Why::protocol, "not SMTP"},
      {Tls::none, {{"", "220 mx.test\r\n250 mx.test\r\n"}}, Why::protocol, "a reply before EHLO was said"},
      {Tls::required, after_greeting({{ehlo, "250 mx.test\r\n"}}), Why::no_starttls, "stripped"},
      {Tls::required, after_greeting({{ehlo, "502 no\r\n"}}), Why::refused, "no HELO where TLS is a must"},
      {Tls::none, after_greeting({{ehlo, "451 later\r\n"}}), Why::refused, "HELO only after a 5yz"},
      {Tls::none, after_greeting({{ehlo, "354 go\r\n"}}), Why::protocol, "3yz"},
      {Tls::none, after_greeting({{ehlo, "502 no\r\n"}, {"HELO relay.test\r\n", "550 no\r\n"}}), Why::refused,
       "HELO refused"},
      {Tls::none, after_greeting({{ehlo, "421 bye\r\n"}}), Why::lost, "421 to EHLO"},
      {Tls::required, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "454 no\r\n"}}), Why::starttls_refused,
       "refused"},
      {Tls::required, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "250 ok\r\n"}}), Why::starttls_refused,
       "RFC 3207 4: only 220 begins TLS"},
      {Tls::opportunistic, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "421 bye\r\n"}}), Why::lost,
       "421"},
      {Tls::required, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "220 go\r\n250 forged\r\n"}}),
       Why::injected, "CVE-2021-38371"},
      {Tls::opportunistic, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "220 go\r\n2"}}), Why::injected,
       "even half a reply"},
      {Tls::opportunistic, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "220 go\r\n\x16\x03\x03"}}),
       Why::injected, "even what looks like TLS"},
      {Tls::required, after_greeting({{ehlo, kOffer + "220 go\r\n"}}), Why::injected,
       "the reply before STARTTLS was said"},
      {Tls::required, after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "220 go\r\n"}, {ehlo, "502 no\r\n"}}),
       Why::refused, "no HELO inside TLS"},
      {Tls::opportunistic,
       after_greeting({{ehlo, kOffer}, {"STARTTLS\r\n", "220 go\r\n"}, {ehlo, "502 no\r\n"}}), Why::refused,
       "no HELO inside TLS, were it a must or not"},
  };
  for (const auto& c : cases) {
    TestPeer p(c.tls, c.script);
    ASSERT_EQ(p.run(), Client::Kind::failed) << c.text;
    EXPECT_EQ(p.client.failure().why, c.why) << c.text << ": " << p.client.failure().detail;
    EXPECT_FALSE(p.client.reusable());
    EXPECT_FALSE(p.client.failure().unanswered);
    EXPECT_EQ(p.client.next().kind, Client::Kind::failed) << c.text << ": for good";
  }
}

TEST(Client, AFailureSaysTheServersWords) {
  TestPeer p(Tls::required, {{"", "554-5.7.1 go away\r\n554 5.7.1 please\r\n"}});
  p.run();
  EXPECT_THAT(p.client.failure().detail, HasSubstr("554 5.7.1 go away 5.7.1 please"));
  EXPECT_EQ(p.client.failure().reply->enhanced(), "5.7.1");
  TestPeer q(Tls::required, {{"", "354 go\r\n"}});
  q.run();
  EXPECT_FALSE(q.client.failure().reply) << "out of place, it is no verdict on any mail";
}

// RFC 5321 3.2
TEST(Client, HeloWhereNoTlsIsDemanded) {
  TestPeer p(Tls::opportunistic, after_greeting({{"EHLO relay.test\r\n", "502 no\r\n"},
                                                 {"HELO relay.test\r\n", "250 mx.test\r\n"}}));
  EXPECT_EQ(p.run(), Client::Kind::ready);
  EXPECT_TRUE(p.client.capabilities().lines().empty());
}

// RFC 7435
TEST(Client, OpportunisticGoesOnWithoutTls) {
  TestPeer p(Tls::opportunistic,
             after_greeting({{"EHLO relay.test\r\n", kOffer}, {"STARTTLS\r\n", "454 no\r\n"}}));
  EXPECT_EQ(p.run(), Client::Kind::ready);
  EXPECT_FALSE(p.client.in_tls());
  TestPeer q(Tls::none, after_greeting({{"EHLO relay.test\r\n", kOffer}}));
  EXPECT_EQ(q.run(), Client::Kind::ready) << "not asked for, not begun";
  EXPECT_FALSE(q.client.in_tls());
}

// RFC 8689 4.2.1, RFC 3207 4.1: a server that will not do hears QUIT, inside TLS where a handshake was.
TEST(Client, QuitIsSaidToAServerThatWillNotDo) {
  struct Case {
    const char* why;
    const char* ehlo;
    const char* starttls;
    bool handshake, said;
  };
  const Case cases[] = {
      {"STARTTLS is not offered", "250 mx.test\r\n", "", false, true},
      {"STARTTLS is refused", "250-mx.test\r\n250 STARTTLS\r\n", "454 not now\r\n", false, true},
      {"its certificate is another's", "250-mx.test\r\n250 STARTTLS\r\n", "220 go on\r\n", true, true},
      {"plaintext is injected", "250-mx.test\r\n250 STARTTLS\r\n", "220 go on\r\n250 x\r\n", false, false},
  };
  for (const Case& c : cases) {
    TestPeer p(Tls::required, after_greeting({{"EHLO relay.test\r\n", c.ehlo}}));
    if (*c.starttls) p.script.push_back({"STARTTLS\r\n", c.starttls});
    p.script.push_back({"QUIT\r\n", "221 bye\r\n"});
    Client::Kind kind = Client::Kind::read;
    // The owner does not like what the handshake showed.
    while (kind == Client::Kind::read || kind == Client::Kind::send) {
      const Client::Action action = p.client.next();
      kind = action.kind;
      if (kind == Client::Kind::send) p.sent += action.bytes;
      if (kind == Client::Kind::read) p.read();
    }
    EXPECT_EQ(kind, c.handshake ? Client::Kind::start_tls : Client::Kind::failed) << c.why;
    EXPECT_EQ(p.client.can_quit(), c.said) << c.why;
    if (!c.said) continue;
    p.client.quit();
    EXPECT_EQ(p.run(), Client::Kind::closed) << c.why;
    EXPECT_EQ(p.client.in_tls(), c.handshake) << c.why;
  }
}

TEST(Client, QuitEndsWhetherOrNotItIsAnswered) {
  for (const char* answer : {"221 bye\r\n", "421 bye\r\n", "500 what\r\n", ""}) {
    TestPeer p(Tls::none, after_greeting({{"EHLO relay.test\r\n", "250 mx.test\r\n"}}));
    if (*answer) p.script.push_back({"QUIT\r\n", answer});
    ASSERT_EQ(p.run(), Client::Kind::ready);
    p.client.quit();
    EXPECT_EQ(p.run(), Client::Kind::closed) << answer;
  }
}

}  // namespace
}  // namespace pinnace::smtp
