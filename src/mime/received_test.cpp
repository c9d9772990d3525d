#include "mime/received.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::mime {
namespace {

Trace example() {
  Trace t;
  t.client_name = "mail.sender.test";
  t.client_ip = "192.0.2.1";
  t.by = "relay.test";
  t.id = "abc";
  t.at = base::Time(base::Seconds(1'700'000'000));
  return t;
}

// RFC 5321 4.4
TEST(Received, InFull) {
  Trace t = example();
  t.client_ip = "2001:db8::1";
  t.recipient = "a@x.test";
  t.tls = true;
  t.tls_text = "TLSv1.3/TLS_AES_256_GCM_SHA384";
  EXPECT_EQ(received_field(t),
            "Received: from mail.sender.test ([IPv6:2001:db8::1])\r\n"
            "\t(using TLSv1.3/TLS_AES_256_GCM_SHA384)\r\n"
            "\tby relay.test with ESMTPS id abc\r\n"
            "\tfor <a@x.test>;\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
}

// RFC 5321 7.2
TEST(Received, WithoutRecipientNoneIsNamed) {
  EXPECT_EQ(received_field(example()),
            "Received: from mail.sender.test ([192.0.2.1])\r\n\tby relay.test with ESMTP id abc;\r\n"
            "\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
}

// RFC 3848 1, RFC 6531 4.3
TEST(Received, SaysTheProtocol) {
  const struct {
    bool extended, tls, utf8, login;
    const char* with;
  } cases[] = {
      {false, false, false, false, "SMTP"},   {true, false, false, false, "ESMTP"},
      {true, true, false, false, "ESMTPS"},   {true, false, true, false, "UTF8SMTP"},
      {true, true, true, false, "UTF8SMTPS"}, {true, true, false, true, "ESMTPSA"},
      {true, false, false, true, "ESMTPA"},   {true, true, true, true, "UTF8SMTPSA"},
  };
  for (const auto& c : cases) {
    Trace t = example();
    t.extended = c.extended;
    t.tls = c.tls;
    t.smtputf8 = c.utf8;
    t.authenticated = c.login;
    EXPECT_THAT(received_field(t), testing::HasSubstr(std::string(" with ") + c.with + " id abc"));
  }
}

TEST(Received, NamesTheHostThatAFrontFound) {
  Trace t = example();
  t.client_host = "spike).test";
  EXPECT_THAT(received_field(t),
              testing::StartsWith("Received: from mail.sender.test (spike?.test [192.0.2.1])\r\n"));
}

TEST(Received, AHostileNameStaysAWord) {
  const struct {
    std::string name, shown;
  } cases[] = {
      {"evil)\r\nX: y", "evil???X:?y"},
      {"\"open (<a@b>;,", "?open???a?b???"},
      {"[192.0.2.9]", "[192.0.2.9]"},
      {"[IPv6:2001:db8::9]", "[IPv6:2001:db8::9]"},
      {"[a]b]", "[a?b]"},
      {"[", "?"},
      {"m\xc3\xbcll", "m??ll"},
      {"", "unknown"},
      {std::string(5000, 'a'), std::string(255, 'a')},
  };
  for (const auto& c : cases) {
    Trace t = example();
    t.client_name = c.name;
    EXPECT_THAT(received_field(t), testing::StartsWith("Received: from " + c.shown + " ([192.0.2.1])\r\n"));
  }
}

}  // namespace
}  // namespace pinnace::mime
