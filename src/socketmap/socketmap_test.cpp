#include <gtest/gtest.h>

#include "socketmap/destination.hpp"
#include "socketmap/netstring.hpp"
#include "socketmap/request.hpp"

namespace pinnace::socketmap {
namespace {

using State = Netstring::State;

TEST(Netstring, IsReadAsItIsDefined) {
  const struct {
    std::string_view input;
    State state;
    std::string_view payload;
    std::size_t size;
    const char* why;
  } cases[] = {
      {"5:hello,", State::whole, "hello", 8, ""},
      {"5:hello,3:abc,", State::whole, "hello", 8, "another behind it"},
      {"0:,", State::whole, "", 3, "nothing is a string too"},
      {std::string_view("3:\0\n,,", 6), State::whole, std::string_view("\0\n,", 3), 6, "any octets"},
      {"20:12345678901234567890,", State::whole, "12345678901234567890", 24, "the limit itself"},
      {"", State::partial, "", 0, ""},
      {"1", State::partial, "", 0, ""},
      {"5:", State::partial, "", 0, ""},
      {"5:hello", State::partial, "", 0, "the comma is to come"},
      {":", State::broken, "", 0, "no length"},
      {"-1:a,", State::broken, "", 0, "a sign"},
      {"+1:a,", State::broken, "", 0, "a sign"},
      {" 1:a,", State::broken, "", 0, "a blank"},
      {"1 :a,", State::broken, "", 0, "a blank"},
      {"1,a,", State::broken, "", 0, "no colon"},
      {"01:a,", State::broken, "", 0, "extra zeros are prohibited"},
      {"00:,", State::broken, "", 0, "extra zeros are prohibited"},
      {"5:hello!", State::broken, "", 0, "no comma"},
      {"5:hello, world", State::whole, "hello", 8, "what follows is for the next"},
      {"21", State::broken, "", 0, "too long, known before the colon"},
      {"21:", State::broken, "", 0, "too long"},
      {"9999999", State::broken, "", 0, "seven digits"},
      {"99999999999999999999999:", State::broken, "", 0, "more than a number holds"},
      {"quit\r\n", State::broken, "", 0, "another protocol"},
  };
  for (const auto& c : cases) {
    const Netstring read = read_netstring(c.input, 20);
    EXPECT_EQ(read.state, c.state) << c.input << ' ' << c.why;
    EXPECT_EQ(read.payload, c.payload) << c.input;
    EXPECT_EQ(read.size, c.size) << c.input;
    EXPECT_EQ(read.problem.empty(), c.state != State::broken) << c.input;
  }
}

TEST(Netstring, WhatIsWrittenIsRead) {
  for (const std::size_t size : {0, 1, 9, 10, 99'999, 100'000}) {
    const std::string payload(size, ',');
    std::string out = "before";
    append_netstring(out, payload);
    const Netstring read = read_netstring(std::string_view(out).substr(6), 100'000);
    EXPECT_EQ(read.state, State::whole) << size;
    EXPECT_EQ(read.payload, payload);
    EXPECT_EQ(read.size, out.size() - 6);
    EXPECT_EQ(read_netstring(std::string_view(out).substr(6, read.size - 1), 100'000).state, State::partial);
  }
  EXPECT_EQ(read_netstring("100001:", 100'000).state, State::broken);
}

TEST(Request, IsAMapAndAKey) {
  const auto request = Request::parse("pinnace example.com");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->map, "pinnace");
  EXPECT_EQ(request->key, "example.com");
  EXPECT_EQ(Request::parse("pinnace a b")->key, "a b");
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("pinnace"), std::string_view("pinnace "),
        std::string_view(" example.com"), std::string_view(" "), std::string_view("pinnace a\nb"),
        std::string_view("pinnace a\0b", 11), std::string_view("pin\tnace a"),
        std::string_view("pinnace a\x7f")}) {
    EXPECT_FALSE(Request::parse(bad)) << bad;
  }
}

TEST(Reply, HasItsCodeAndIsOneLine) {
  EXPECT_EQ(temporary("why\r\nnot"), "TEMP why??not");
  EXPECT_EQ(permanent(""), "PERM ");
  EXPECT_EQ(timed_out(std::string(500, 'x')).size(), 8 + 200U);
}

TEST(Reply, WhatCannotBeSentIsATemporaryFailure) {
  const auto sent = [](std::string_view reply) {
    std::string out;
    append_reply(out, reply, 40);
    return out;
  };
  EXPECT_EQ(sent("OK encrypt"), "10:OK encrypt,");
  EXPECT_EQ(sent(kNotFound), "9:NOTFOUND ,");
  EXPECT_EQ(sent("OK " + std::string(37, 'x')), "40:OK " + std::string(37, 'x') + ",");
  for (const auto& bad : {"OK " + std::string(38, 'x'), std::string(), std::string("NOTFOUND"),
                          std::string("encrypt"), std::string("ok encrypt")}) {
    EXPECT_EQ(read_netstring(sent(bad), 100).payload.substr(0, 5), "TEMP ") << bad;
  }
}

TEST(Destination, HasTheFormsOfTransport5) {
  using Kind = Destination::Kind;
  const struct {
    const char* key;
    const char* canonical;
    const char* name;
    Kind kind;
    std::optional<std::uint16_t> port;
  } cases[] = {
      {"example.com", "example.com", "example.com", Kind::domain, {}},
      {"Example.COM.", "example.com", "example.com", Kind::domain, {}},
      {"b\xc3\xbc"
       "cher.test",
       "xn--bcher-kva.test",
       "xn--bcher-kva.test",
       Kind::domain,
       {}},
      {"example.com:587", "example.com:587", "example.com", Kind::domain, 587},
      {"example.com:submission", "example.com:587", "example.com", Kind::domain, 587},
      {"[mx.example.com]", "[mx.example.com]", "mx.example.com", Kind::host, {}},
      {"[MX.example.com]:0025", "[mx.example.com]:25", "mx.example.com", Kind::host, 25},
      {"[mx.example.com]:smtp", "[mx.example.com]:25", "mx.example.com", Kind::host, 25},
      {"[mx.example.com]:smtps", "[mx.example.com]:465", "mx.example.com", Kind::host, 465},
      {"localhost:65535", "localhost:65535", "localhost", Kind::domain, 65535},
      {"[192.0.2.1]", "[192.0.2.1]", "[192.0.2.1]", Kind::address, {}},
      {"[192.0.2.1]:587", "[192.0.2.1]:587", "[192.0.2.1]", Kind::address, 587},
      {"192.0.2.1:smtp", "[192.0.2.1]:25", "[192.0.2.1]", Kind::address, 25},
      {"192.0.2.1", "[192.0.2.1]", "[192.0.2.1]", Kind::address, {}},
      {"[IPv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", Kind::address, {}},
      {"[ipv6:2001:db8::1]:25", "[IPv6:2001:db8::1]:25", "[IPv6:2001:db8::1]", Kind::address, 25},
      {"[2001:db8::1]", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", Kind::address, {}},
      {"[2001:db8::1]:465", "[IPv6:2001:db8::1]:465", "[IPv6:2001:db8::1]", Kind::address, 465},
  };
  for (const auto& c : cases) {
    const auto read = Destination::parse(c.key);
    ASSERT_TRUE(read) << c.key;
    EXPECT_EQ(read->key(), c.canonical);
    EXPECT_EQ(read->name, c.name);
    EXPECT_EQ(read->kind, c.kind) << c.key;
    EXPECT_EQ(read->port, c.port) << c.key;
    EXPECT_EQ(Destination::parse(read->key())->key(), c.canonical);
  }
}

// NOTFOUND leaves Postfix to its own level: told only where no mail goes over a network.
TEST(Destination, WhatIsNoneIsNoMissingPolicy) {
  const struct {
    std::vector<std::string> keys;
    const char* code;
    const char* reply;
  } cases[] = {
      {{".example.com", ".com", ".Example.COM.",
        ".b\xc3\xbc"
        "cher.test",
        "private/dovecot-lmtp", "/run/lmtp"},
       "socketmap.no_host",
       "NOTFOUND "},
      {{"",
        ".",
        "..",
        "*",
        ":25",
        "[]",
        "[]:25",
        "[",
        "]",
        "[example.com",
        "[[example.com]]",
        "a b.test",
        "a..test",
        "user@example.com",
        "[user@example.com]",
        "-.test",
        ".192.0.2.1",
        "192.0.2.01",
        "192.0.2.1.",
        "192.0.2.256",
        "3221225985",
        "0x7f.1",
        "host.123",
        "2001:db8::1",
        "[192.0.2.1",
        "[IPv6:192.0.2.1]",
        "[IPv6:]",
        "[IPv6:2001:db8::1%lo]",
        "[general:x]",
        "\xff.test",
        "xn--\xc3\xbc.test",
        std::string(254, 'a'),
        std::string(99'000, 'x'),
        std::string(99'000, '['),
        "a." + std::string(99'000, '.')},
       "socketmap.key",
       "PERM "},
      {{"example.com:", "example.com:0", "example.com:65536", "example.com:pop3", "example.com:-1",
        "example.com:25:25", "[mx.example.com]25", "[mx.example.com]:", "[mx.example.com]:2 5",
        "[mx.example.com]x", "[192.0.2.1]x", "[192.0.2.1]:what", "192.0.2.1:", "[IPv6:2001:db8::1]:0",
        "fe80::1"},
       "socketmap.port",
       "PERM "},
  };
  for (const auto& c : cases) {
    for (const std::string& key : c.keys) {
      const auto read = Destination::parse(key);
      ASSERT_FALSE(read) << key;
      EXPECT_EQ(read.error().code, c.code) << key;
      EXPECT_TRUE(reply_to(read.error()).starts_with(c.reply)) << key;
    }
  }
}

}  // namespace
}  // namespace pinnace::socketmap
