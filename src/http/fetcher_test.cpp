#include "http/fetcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "http/https_server_fixture.hpp"

namespace pinnace::http {
namespace {

using namespace std::chrono_literals;
using namespace testing_server;
using certificates::Certificate;
using certificates::kDay;
using certificates::make;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kHost = "mta-sts.x.test";
const std::string kPath = "/.well-known/mta-sts.txt";

io::IpAddress ip(const std::string& text) { return io::IpAddress::parse(text).value(); }

Settings settings_for(std::uint16_t port) {
  Settings s;
  s.port = port;
  s.timeout = 10s;
  s.allowed = {io::Network::parse("127.0.0.1").value()};
  return s;
}

io::Task<void> get(io::Loop& loop, Fetcher& fetcher, Request request, base::Result<Response>& out,
                   int& left) {
  out = co_await fetcher.get(std::move(request));
  if (--left == 0) loop.stop();
}

std::vector<base::Result<Response>> get_all(io::Loop& loop, Fetcher& fetcher,
                                            const std::vector<Request>& requests) {
  std::vector<base::Result<Response>> out(requests.size(), base::fail("test", "not ended"));
  int left = static_cast<int>(requests.size());
  io::Timer held(loop);
  const auto hold = [](io::Timer& timer) -> io::Task<void> { co_await timer.wait(1min); };
  loop.spawn(hold(held));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    loop.spawn(get(loop, fetcher, requests[i], out[i], left));
  }
  if (left > 0) loop.run();
  loop.drop_tasks();
  return out;
}

const Certificate& root() {
  static const Certificate kRoot = make({"Root", "", true});
  return kRoot;
}

struct Setup {
  std::string host = kHost;
  std::string address = "127.0.0.1";
  base::Milliseconds timeout = 10s;
  std::size_t requests = 1;
};

struct Fetched {
  std::vector<base::Result<Response>> results;
  std::vector<std::string> heads;
  const base::Result<Response>& first() const { return results.at(0); }
};

Fetched fetch(const Script& script, const Certificate& certificate, const Setup& setup = {}) {
  std::signal(SIGPIPE, SIG_IGN);
  io::Loop loop;
  const Server server(loop, certificate, [script](const std::string&) { return script; });
  Settings settings = settings_for(server.port());
  settings.timeout = setup.timeout;
  Fetcher fetcher(loop, certificates::roots_of(root()), settings);
  const std::vector<Request> requests(setup.requests, Request{setup.host, kPath, {ip(setup.address)}});
  Fetched out;
  out.results = get_all(loop, fetcher, requests);
  out.heads = server.heads();
  return out;
}

Certificate good() { return make({"", "DNS:" + kHost}, &root()); }

TEST(Fetcher, WhatTheServerAnswers) {
  const Certificate certificate = good();
  const std::string big(65537, 'a');
  const struct {
    const char* why;
    Script script;
    const char* outcome;  // of a failure its code, else status, type and body
  } cases[] = {
      {"a policy", {ok("version: STSv1")}, "200 text/plain version: STSv1"},
      {"any type is told as it is", {ok("x", "Text/HTML; charset=utf-8")}, "200 Text/HTML; charset=utf-8 x"},
      {"no type", {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"}, "200  x"},
      {"a body that ends with the connection", {"HTTP/1.0 200 OK\r\n\r\nx"}, "200  x"},
      {"chunks", {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"}, "200  x"},
      {"RFC 8461 3.3: a redirect is not followed",
       {"HTTP/1.1 301 Moved\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"},
       "301  "},
      {"no such page", {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, "404  "},
      {"64 KiB", {ok(big.substr(1))}, nullptr},
      {"one octet more", {ok(big)}, "http.size"},
      {"one octet more, without a length", {"HTTP/1.0 200 OK\r\n\r\n" + big}, "http.size"},
      {"an endless head", {"HTTP/1.1 200 OK\r\n" + std::string(70000, 'a') + ": b\r\n\r\n"}, "http.size"},
      {"an endless number of fields",
       {[] {
         std::string head = "HTTP/1.1 200 OK\r\n";
         for (int i = 0; i < 9000; ++i) head += "a: 1234\r\n";
         return head;
       }()},
       "http.size"},
      {"cut short", {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}, "http.transfer"},
      {"not HTTP", {"220 ahoy\r\n"}, "http.transfer"},
      {"nothing", {""}, "http.transfer"},
  };
  for (const auto& c : cases) {
    const Fetched got = fetch(c.script, certificate);
    ASSERT_EQ(got.heads.size(), 1U) << c.why;
    if (!c.outcome) {
      ASSERT_TRUE(got.first()) << c.why << ": " << got.first().error().detail;
      EXPECT_EQ(got.first()->body.size(), 65536U) << c.why;
    } else if (got.first()) {
      const Response& r = *got.first();
      EXPECT_EQ(std::to_string(r.status) + " " + r.content_type + " " + r.body, c.outcome) << c.why;
    } else {
      EXPECT_EQ(got.first().error().code, c.outcome) << c.why << ": " << got.first().error().detail;
      EXPECT_THAT(got.first().error().detail, StartsWith("https://" + kHost + kPath + ": "));
    }
  }
}

TEST(Fetcher, WhatIsAskedFor) {
  const Fetched got = fetch({ok("x")}, good());
  ASSERT_EQ(got.heads.size(), 1U);
  EXPECT_THAT(got.heads[0], StartsWith("GET " + kPath + " HTTP/1.1\r\nHost: " + kHost + ":"));
  EXPECT_THAT(got.heads[0], Not(HasSubstr("Encoding"))) << "nothing that unpacks to more";
}

// RFC 8461 3.3
TEST(Fetcher, TheCertificateIsForTheHost) {
  const Certificate unknown = make({"Root", "", true});
  const struct {
    const char* why;
    Certificate certificate;
    const char* says;  // null: accepted
  } cases[] = {
      {"the name", good(), nullptr},
      {"a wildcard", make({"", "DNS:*.x.test"}, &root()), nullptr},
      {"one of several names", make({"", "DNS:x.test,DNS:" + kHost}, &root()), nullptr},
      {"another name", make({"", "DNS:x.test"}, &root()), "ostname mismatch"},
      {"a wildcard in a label", make({"", "DNS:mta*.x.test"}, &root()), "ostname mismatch"},
      {"a wildcard for two labels", make({"", "DNS:*.test"}, &root()), "ostname mismatch"},
      {"the common name alone", make({kHost, ""}, &root()), "ostname mismatch"},
      {"the common name beside another", make({kHost, "DNS:x.test"}, &root()), "ostname mismatch"},
      {"the common name beside an address", make({kHost, "IP:127.0.0.1"}, &root()), "ostname mismatch"},
      {"expired", make({"", "DNS:" + kHost, false, -2 * kDay, -kDay}, &root()), "has expired"},
      {"not valid yet", make({"", "DNS:" + kHost, false, kDay, 2 * kDay}, &root()), "not yet valid"},
      {"an unknown CA of the same name", make({"", "DNS:" + kHost}, &unknown), "signature"},
      {"self-signed", make({"", "DNS:" + kHost}), "self-signed"},
  };
  for (const auto& c : cases) {
    const Fetched got = fetch({ok("x")}, c.certificate);
    EXPECT_EQ(got.first().has_value(), c.says == nullptr) << c.why;
    if (got.first() || !c.says) continue;
    EXPECT_EQ(got.first().error().code, "http.tls") << c.why << ": " << got.first().error().detail;
    EXPECT_THAT(got.first().error().detail, HasSubstr(c.says)) << c.why;
    EXPECT_TRUE(got.heads.empty()) << c.why << ": nothing is asked of a stranger";
  }
}

TEST(Fetcher, AddressesThatNoPublicHostHasAreNotAsked) {
  const Certificate certificate = good();
  const Fetched got = fetch({ok("x")}, certificate, {kHost, "127.0.0.2"});
  ASSERT_FALSE(got.first());
  EXPECT_EQ(got.first().error().code, "http.address");
  EXPECT_THAT(got.first().error().detail, HasSubstr("127.0.0.2 is a loopback address"));
  // libcurl reads a number as an address, whatever the list says.
  for (const char* host : {"2130706434", "0x7f.2", "127.0.0.2"}) {
    const Fetched odd = fetch({ok("x")}, certificate, {host, "127.0.0.1"});
    ASSERT_FALSE(odd.first()) << host;
    EXPECT_TRUE(odd.heads.empty()) << host;
  }
  for (const char* host : {"", "x.test/y", "x.test:1", "x@y.test", "x.test?"}) {
    EXPECT_EQ(fetch({ok("x")}, certificate, {host}).first().error().code, "http.transfer") << host;
  }
}

TEST(Fetcher, NobodyListens) {
  io::Loop loop;
  std::uint16_t port = 0;
  {
    const auto closed = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value());
    port = closed->local().port;
  }
  Fetcher fetcher(loop, certificates::roots_of(root()), settings_for(port));
  const auto got = get_all(loop, fetcher, {{kHost, kPath, {ip("127.0.0.1")}}, {kHost, kPath, {}}});
  EXPECT_EQ(got[0].error().code, "http.transfer");
  EXPECT_EQ(got[1].error().code, "http.address");
}

TEST(Fetcher, NoProxyFromTheEnvironment) {
  ::setenv("https_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  const Fetched got = fetch({ok("x")}, good());
  ::unsetenv("https_proxy");
  ::unsetenv("ALL_PROXY");
  EXPECT_TRUE(got.first()) << got.first().error().detail;
}

TEST(Fetcher, ASilentServerMeetsTheDeadline) {
  const Certificate certificate = good();
  for (const char* begin : {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}) {
    const Fetched got = fetch({begin, true}, certificate, {kHost, "127.0.0.1", 300ms});
    EXPECT_EQ(got.first().error().code, "http.timeout");
    EXPECT_THAT(got.first().error().detail, HasSubstr("300 ms"));
  }
}

TEST(Fetcher, ManyTakeTurns) {
  const Fetched got = fetch({ok("x")}, good(), {kHost, "127.0.0.1", 30s, 100});
  for (const auto& r : got.results) EXPECT_TRUE(r) << r.error().detail;
  EXPECT_EQ(got.heads.size(), 100U);
}

// RFC 8461 3.3: no HTTP caching. More than can be under way at once: the last ones begin when others have
// ended.
TEST(Fetcher, NoAnswerIsKept) {
  const std::string lasting =
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nETag: \"1\"\r\nContent-Length: 1\r\n\r\nx";
  const Fetched got = fetch({lasting}, good(), {kHost, "127.0.0.1", 30s, 40});
  EXPECT_EQ(got.heads.size(), 40U);
  for (const std::string& head : got.heads) EXPECT_THAT(head, Not(HasSubstr("If-None-Match")));
}

TEST(Fetcher, TheWaitForATurnHasTheSameDeadline) {
  const auto start = io::Steady::now();
  const Fetched got = fetch({"", true}, good(), {kHost, "127.0.0.1", 1s, 40});
  EXPECT_LT(io::Steady::now() - start, 2s) << "those who waited for the first had no second of their own";
  for (const auto& r : got.results) EXPECT_EQ(r.error().code, "http.timeout");
}

TEST(Fetcher, DroppedWithItsLoopWhileUnderWay) {
  std::signal(SIGPIPE, SIG_IGN);
  io::Loop loop;
  const Server server(loop, good(), [&loop](const std::string&) {
    loop.stop();
    return Script{"HTTP/1.1 200 OK\r\n", true};
  });
  base::Result<Response> out = base::fail("test", "not ended");
  int left = 2;
  {
    Fetcher fetcher(loop, certificates::roots_of(root()), settings_for(server.port()));
    loop.spawn(get(loop, fetcher, {kHost, kPath, {ip("127.0.0.1")}}, out, left));
    loop.run();
    EXPECT_EQ(server.heads().size(), 1U);
    loop.drop_tasks();
  }
  EXPECT_EQ(out.error().code, "test");
}

}  // namespace
}  // namespace pinnace::http
