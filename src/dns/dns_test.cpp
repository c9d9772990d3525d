#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/mail_hosts.hpp"
#include "dns/resolver.hpp"

namespace pinnace::dns {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string wire(std::initializer_list<std::string_view> labels) {
  std::string out;
  for (const auto label : labels) {
    out += static_cast<char>(label.size());
    out += label;
  }
  return out + '\0';
}

std::string mx(int preference, const std::string& name) {
  return std::string{static_cast<char>(preference >> 8), static_cast<char>(preference)} + name;
}

TEST(Rdata, HostileNamesAreNothing) {
  EXPECT_EQ(parse_name(wire({"MX", "x", "test"})), "mx.x.test");
  EXPECT_EQ(parse_name(std::string(1, '\0')), "");
  const struct {
    std::string wire;
    const char* why;
  } cases[] = {
      {"", "nothing"},
      {"\x02mx", "no end"},
      {"\x05mx", "label beyond the end"},
      {std::string("\xc0\x0c", 2), "compression pointer"},
      {wire({"mx", "test"}) + "x", "octets behind the end"},
      {wire({"a.b", "test"}), "dot in a label"},
      {wire({"a b", "test"}), "space"},
      {wire({std::string_view("a\0b", 3), "test"}), "NUL"},
      {wire({"\xc3\xbc", "test"}), "not ASCII"},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_name(c.wire), std::nullopt) << c.why;
  std::string deep;
  for (int i = 0; i < 200; ++i)
    deep +=
        "\x01"
        "a";
  EXPECT_EQ(parse_name(deep + '\0'), std::nullopt) << "more than 253 octets";
  EXPECT_FALSE(parse_mx("\x01"));
  EXPECT_FALSE(parse_a("abc"));
  EXPECT_FALSE(parse_aaaa("abcd"));
  EXPECT_EQ(parse_a(std::string("\xc0\0\x02\x01", 4))->str(), "192.0.2.1");
}

TEST(Rdata, StringsOfTxtAreJoined) {
  const std::string full(255, 'a');
  const struct {
    std::string rdata;
    std::optional<std::string> joined;
    const char* why;
  } cases[] = {
      {"\x03"
       "abc",
       "abc", "one string"},
      {"\x02"
       "ab\x01"
       "c",
       "abc", "two, without a blank (RFC 8461 3.1)"},
      {std::string(1, '\0'), "", "an empty string"},
      {std::string("\0\x01x\0", 4), "x", "empty strings beside another"},
      {std::string("\x02\0\xff", 3), std::string("\0\xff", 2), "any octet"},
      {"\xff" + full + "\xff" + full, full + full, "the longest"},
      {"", std::nullopt, "no string"},
      {"\x04"
       "abc",
       std::nullopt, "beyond the end"},
      {"\x01"
       "a\x01",
       std::nullopt, "the second is cut"},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_txt(c.rdata), c.joined) << c.why;
}

Answer records(std::vector<std::string> rdata) {
  Answer a;
  a.kind = Answer::Kind::records;
  a.security = Security::secure;
  a.rdata = std::move(rdata);
  return a;
}

TEST(MailHosts, WhatAnMxAnswerMeans) {
  const names::Domain domain = *names::Domain::parse("x.test");
  const auto first = [](std::size_t) { return std::size_t{0}; };
  const auto from = [&](const Answer& a) { return mail_hosts_from(a, domain, first); };
  const std::string root(1, '\0');

  EXPECT_THAT(from(records({mx(20, wire({"b", "test"})), mx(10, wire({"a", "test"}))})).hosts,
              ElementsAre("a.test", "b.test"));
  EXPECT_EQ(from(records({mx(0, root)})).kind, MailHosts::Kind::null_mx) << "RFC 7505";
  EXPECT_THAT(from(records({mx(0, root), mx(10, wire({"a", "test"}))})).hosts, ElementsAre("a.test"));
  EXPECT_EQ(from(records({mx(10, "\x05x")})).kind, MailHosts::Kind::failure) << "only malformed ones";
  EXPECT_THAT(from(records({mx(1, wire({"a", "test"})), mx(2, wire({"a", "test"}))})).hosts,
              ElementsAre("a.test"));

  Answer none;
  none.kind = Answer::Kind::no_data;
  EXPECT_TRUE(from(none).implicit) << "RFC 5321 5.1";
  EXPECT_THAT(from(none).hosts, ElementsAre("x.test"));
  Answer alias = records({mx(10, wire({"a", "test"}))});
  EXPECT_EQ(from(alias).canonical, "") << "no alias";
  alias.canonical = "y.test";
  EXPECT_EQ(from(alias).canonical, "y.test") << "RFC 7672 3.2.2: the end of the domain's aliases";
  none.canonical = "Mail.Y.Test";
  EXPECT_THAT(from(none).hosts, ElementsAre("mail.y.test")) << "as pins and rules name it (RFC 1035 2.3.3)";
  none.canonical = "X.Test";
  EXPECT_THAT(from(none).hosts, ElementsAre("x.test"));
  EXPECT_EQ(from(none).canonical, "") << "no alias";
  none.kind = Answer::Kind::no_domain;
  EXPECT_EQ(from(none).kind, MailHosts::Kind::no_domain);
  none.kind = Answer::Kind::failure;
  none.security = Security::bogus;
  EXPECT_EQ(from(none).kind, MailHosts::Kind::failure) << "bogus is never absent";

  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back(mx(i, wire({"h" + std::to_string(i), "test"})));
  EXPECT_EQ(from(records(many)).hosts.size(), MailHosts::kMostHosts);
}

TEST(MailHosts, EqualPreferencesAreShuffled) {
  const names::Domain domain = *names::Domain::parse("x.test");
  std::set<std::string> firsts;
  for (std::size_t seed = 0; seed < 3; ++seed) {
    firsts.insert(mail_hosts_from(records({mx(1, wire({"a"})), mx(1, wire({"b"})), mx(1, wire({"c"}))}),
                                  domain, [seed](std::size_t n) { return seed % n; })
                      .hosts[0]);
  }
  EXPECT_GT(firsts.size(), 1U);
}

TEST(MailHosts, WhichOfThemMayComeFirstIsKept) {
  const auto found = mail_hosts_from(
      records({mx(20, wire({"c"})), mx(10, wire({"a"})), mx(20, wire({"a"})), mx(10, wire({"b"}))}),
      *names::Domain::parse("x.test"), [](std::size_t) { return std::size_t{0}; });
  ASSERT_EQ(found.hosts.size(), 3U);
  EXPECT_TRUE(found.equal(0, 1));
  EXPECT_FALSE(found.equal(1, 2));
  MailHosts route;
  route.hosts = {"a", "b"};
  EXPECT_FALSE(route.equal(0, 1)) << "in the operator's order";
}

TEST(Addresses, FamiliesCombined) {
  Answer good = records({std::string("\x7f\0\0\x01", 4)});
  Answer none;
  none.kind = Answer::Kind::no_data;
  none.security = Security::secure;
  Answer failed;
  Answer bogus;
  bogus.security = Security::bogus;
  EXPECT_EQ(addresses_from(good, none, "h").security, Security::secure);
  EXPECT_EQ(addresses_from(good, failed, "h").kind, Addresses::Kind::found);
  EXPECT_EQ(addresses_from(good, failed, "h").security, Security::secure)
      << "no answer for the other family must not turn DANE off (RFC 7672 2.1.2)";
  for (const Addresses& one : {addresses_from(good, bogus, "h"), addresses_from(bogus, good, "h")}) {
    EXPECT_EQ(one.kind, Addresses::Kind::failure) << "RFC 7672 2.1.2: somebody forges";
    EXPECT_EQ(one.security, Security::bogus);
    EXPECT_THAT(one.addresses, IsEmpty());
  }
  const std::vector<std::string> many(20, good.rdata.front());
  EXPECT_EQ(addresses_from(records(many), none, "h").addresses.size(), Addresses::kMostOfFamily);
  Answer insecure = good;
  insecure.security = Security::insecure;
  EXPECT_EQ(addresses_from(insecure, none, "h").security, Security::insecure);
  EXPECT_EQ(addresses_from(none, none, "h").kind, Addresses::Kind::none);
  insecure.canonical = "H.Y.Test";
  EXPECT_EQ(addresses_from(insecure, none, "h").canonical, "h.y.test") << "RFC 1035 2.3.3";
  EXPECT_EQ(addresses_from(none, bogus, "h").kind, Addresses::Kind::failure) << "bogus is never absent";
  EXPECT_EQ(addresses_from(none, bogus, "h").security, Security::bogus);
}

io::Task<void> ask(Resolver& resolver, Answer& out, io::Loop& loop) {
  out = co_await resolver.query("slow.test", Type::a);
  loop.stop();
}

struct SilentServer {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  Settings settings;  // to ask it
  SilentServer() {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), size), 0);
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    settings.stubs = {{"test.", "127.0.0.1@" + std::to_string(ntohs(at.sin_port))}};
  }
  ~SilentServer() { ::close(fd); }
};

TEST(Resolver, SilentServerMeetsTheDeadline) {
  SilentServer server;
  io::Loop loop;
  server.settings.timeout = 300ms;
  auto resolver = Resolver::create(loop, server.settings);
  ASSERT_TRUE(resolver) << resolver.error().detail;
  Answer answer;
  loop.spawn(ask(**resolver, answer, loop));
  loop.run();
  EXPECT_EQ(answer.kind, Answer::Kind::failure);
  EXPECT_THAT(answer.detail, HasSubstr("300 ms"));
  loop.drop_tasks();
}

// The address sanitizer sees what is read of a lookup that went with its task.
TEST(Resolver, EndsWhileALookupIsUnderWay) {
  const SilentServer server;
  io::Loop loop;
  auto resolver = Resolver::create(loop, server.settings);
  ASSERT_TRUE(resolver) << resolver.error().detail;
  Answer answer;
  answer.detail = "untouched";
  loop.spawn(ask(**resolver, answer, loop));
  EXPECT_GT(loop.tasks(), 0U);
  loop.drop_tasks();
  resolver->reset();
  EXPECT_EQ(answer.detail, "untouched");
}

TEST(Resolver, BadSettingsAreNamed) {
  io::Loop loop;
  Settings anchor;
  anchor.trust_anchor_file = "/nonexistent/ta.key";
  EXPECT_THAT(Resolver::create(loop, anchor).error().detail, HasSubstr("/nonexistent/ta.key"));
  Settings stub;
  stub.stubs = {{"test.\"\nserver: x", "127.0.0.1@53"}};
  EXPECT_EQ(Resolver::create(loop, stub).error().code, "dns.config");
}

}  // namespace
}  // namespace pinnace::dns
