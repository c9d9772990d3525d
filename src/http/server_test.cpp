#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "http/fetcher.hpp"
#include "tls/certificate_fixture.hpp"
#include "tls/session_fixture.hpp"

namespace pinnace::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tls::testing_certificates::make;

io::Task<ServerResponse> echo(ServerRequest request) {
  ServerResponse response;
  response.body = request.head.host + " " + request.body;
  co_return response;
}

// A server with a page and a letterbox, and clients on the same loop.
struct Site {
  tls::testing_sessions::Folder folder;
  tls::testing_certificates::Certificate root = make({"Root", "", true});
  tls::testing_certificates::Certificate leaf = make({"x.test", "DNS:x.test"}, &root);
  io::Loop loop;
  base::ManualClock clock{base::parse_time("2026-11-24T12:00:00Z").value()};
  ServerSettings settings;
  std::unique_ptr<Server> server;
  std::vector<std::string> said;  // to each client, whole
  int left = 0;

  Site() {
    std::signal(SIGPIPE, SIG_IGN);
    settings.listen = {io::Endpoint::parse("127.0.0.1:0").value()};
    settings.linger = 500ms;
  }
  ~Site() { loop.drop_tasks(); }

  void start() {
    const auto context = tls::ServerContext::load(folder.write("cert.pem", leaf.pem() + root.pem()),
                                                  folder.write("key.pem", leaf.key_pem()));
    server = std::make_unique<Server>(loop, clock, settings, context.value());
    server->add("/page", {"GET", 0, echo});
    server->add("/box", {"POST", 1000, echo});
    ASSERT_TRUE(server->start());
  }
  io::Endpoint at() const { return server->endpoints().at(0); }

  // Sends `pieces`, one after the other, with `pause` between them, and reads until the server ends it.
  static io::Task<void> talk(Site& self, std::vector<std::string> pieces, base::Milliseconds pause,
                             std::size_t place) {
    auto stream = co_await io::connect(self.loop, self.at(), 5s);
    if (stream) co_await converse(self, *stream, std::move(pieces), pause, self.said[place]);
    if (--self.left == 0) self.loop.stop();
  }
  static io::Task<void> converse(Site& self, io::Stream& stream, std::vector<std::string> pieces,
                                 base::Milliseconds pause, std::string& out) {
    stream.set_idle_timeout(10s);
    const auto shaken = co_await tls::start_client(stream, tls::ClientContext(), {"x.test", std::nullopt});
    if (!shaken) co_return;
    io::Timer timer(self.loop);
    for (const std::string& piece : pieces) {
      const auto sent = co_await stream.write_all(piece);
      if (!sent) break;
      if (pause > 0ms) co_await timer.wait(pause);
    }
    char buffer[4096];
    for (;;) {
      const auto n = co_await stream.read_some(buffer, sizeof buffer);
      if (!n && n.error().code == "io.timeout") out += "(nothing more came)";
      if (!n || *n == 0) break;
      out.append(buffer, *n);
    }
  }
  std::string ask(std::vector<std::string> pieces, base::Milliseconds pause = 0ms) {
    said.assign(1, "");
    left = 1;
    loop.spawn(talk(*this, std::move(pieces), pause, 0));
    loop.run();
    return said[0];
  }
};

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x.test\r\n" + fields + "\r\n";
}
std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + fields + "\r\n" + body;
}
const std::string kClose = "Connection: close\r\n";

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(HttpServer, OneConnectionCarriesManyRequestsInOrder) {
  Site site;
  site.start();
  // All at once: pipelined.
  const std::string all = get("/page") + post("/box", "one") + post("/box", "two") + get("/none") +
                          "HEAD /page HTTP/1.1\r\nHost: x.test\r\n\r\n" + get("/page", kClose);
  const std::string said = site.ask({all});
  EXPECT_EQ(count(said, "HTTP/1.1 "), 6U) << said;
  EXPECT_LT(said.find("x.test one"), said.find("x.test two"));
  EXPECT_EQ(count(said, "HTTP/1.1 404 Not Found"), 1U);
  EXPECT_EQ(count(said, "x.test "), 4U) << "none behind HEAD: " << said;
  EXPECT_EQ(count(said, "Connection: close"), 1U);
  EXPECT_EQ(count(said, "Date: Tue, 24 Nov 2026 12:00:00 GMT"), 6U);
}

TEST(HttpServer, MethodsAndSizes) {
  Site site;
  site.settings.idle_timeout = 300ms;
  site.start();
  EXPECT_THAT(site.ask({get("/box")}), Not(HasSubstr("Connection: close"))) << "it may ask again";
  EXPECT_THAT(site.said[0], HasSubstr("HTTP/1.1 405 Method Not Allowed"));
  EXPECT_THAT(site.said[0], HasSubstr("Allow: POST\r\n"));
  EXPECT_THAT(site.ask({post("/page", "x")}), HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(site.said[0], HasSubstr("Connection: close"));
  EXPECT_THAT(site.ask({post("/box", std::string(1000, 'a'), kClose)}), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(site.ask({post("/box", std::string(1001, 'a'))}), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(site.ask({post("/box", std::string(900'000, 'a'))}), StartsWith("HTTP/1.1 413 "))
      << "heard although it sends all";
  EXPECT_THAT(site.ask({get("/page", "X: " + std::string(20'000, 'a') + "\r\n")}),
              StartsWith("HTTP/1.1 431 "));
}

// RFC 9110 10.1.1: as curl does before a long body.
TEST(HttpServer, SaysThatItWaitsForTheBody) {
  Site site;
  site.start();
  const std::string expecting = post("/box", "hello", "Expect: 100-continue\r\n" + kClose);
  const std::size_t body = expecting.size() - 5;
  const std::string said = site.ask({expecting.substr(0, body), expecting.substr(body)}, 50ms);
  EXPECT_THAT(said, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"));
  const std::string refused =
      "POST /box HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1001\r\n"
      "Expect: 100-continue\r\n\r\n";
  EXPECT_THAT(site.ask({refused}), StartsWith("HTTP/1.1 413 ")) << "before anything is sent";
}

TEST(HttpServer, ASmuggledRequestIsNeverRead) {
  Site site;
  site.start();
  const std::string smuggled = get("/page");
  const std::string said = site.ask(
      {"POST /box HTTP/1.1\r\nHost: x.test\r\nContent-Length: " + std::to_string(smuggled.size() + 5) +
       "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled});
  EXPECT_EQ(count(said, "HTTP/1.1 "), 1U) << said;
  EXPECT_THAT(said, StartsWith("HTTP/1.1 400 Bad Request"));
  EXPECT_THAT(said, HasSubstr("Connection: close"));
}

TEST(HttpServer, WhoIsSlowIsNotWaitedFor) {
  Site site;
  site.settings.head_timeout = 300ms;
  site.settings.idle_timeout = 300ms;
  site.settings.pace = {1000, 300ms};
  site.start();
  std::vector<std::string> drip;
  for (const char c : get("/page")) drip.emplace_back(1, c);
  const auto began = io::Steady::now();
  EXPECT_THAT(site.ask(drip, 50ms), StartsWith("HTTP/1.1 408 "));
  std::vector<std::string> body{post("/box", std::string(500, 'a')).substr(0, 100)};
  for (int i = 0; i < 60; ++i) body.emplace_back("a");
  EXPECT_THAT(site.ask(body, 50ms), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(site.ask({}), "") << "nothing is said to who asks nothing";
  EXPECT_EQ(count(site.ask({get("/page")}), "HTTP/1.1"), 1U) << "nor to who asks nothing more";
  EXPECT_LT(io::Steady::now() - began, 9s);
  EXPECT_EQ(site.server->sessions(), 0U);
}

TEST(HttpServer, SessionsOfAClientAreCounted) {
  Site site;
  site.settings.max_sessions_per_client = 2;
  site.settings.idle_timeout = 500ms;
  site.start();
  site.said.assign(3, "");
  site.left = 3;
  for (std::size_t i = 0; i < 3; ++i) site.loop.spawn(Site::talk(site, {get("/page")}, 0ms, i));
  site.loop.run();
  EXPECT_EQ(count(site.said[0] + site.said[1] + site.said[2], "HTTP/1.1 200 OK"), 2U);
  EXPECT_THAT(site.ask({get("/page", kClose)}), StartsWith("HTTP/1.1 200 OK")) << "they are over";
}

TEST(HttpServer, BodiesTogetherAreBounded) {
  Site site;
  site.settings.max_bodies = 600;
  site.start();
  EXPECT_THAT(site.ask({post("/box", std::string(601, 'a'))}), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(site.said[0], HasSubstr("Retry-After: 60"));
  EXPECT_THAT(site.ask({post("/box", std::string(600, 'a'), kClose)}), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(site.ask({post("/box", std::string(600, 'a'), kClose)}), StartsWith("HTTP/1.1 200 OK"))
      << "given back";
}

TEST(HttpServer, AConnectionEndsAfterSoManyRequests) {
  Site site;
  site.settings.max_requests = 2;
  site.start();
  const std::string said = site.ask({get("/page") + get("/page") + get("/page")});
  EXPECT_EQ(count(said, "HTTP/1.1 200 OK"), 2U);
  EXPECT_EQ(count(said, "Connection: close"), 1U);
}

// As a sender fetches an MTA-STS policy.
TEST(HttpServer, IsUnderstoodByLibcurl) {
  Site site;
  site.start();
  Settings fetching;
  fetching.port = site.at().port;
  fetching.timeout = 10s;
  fetching.allowed = {io::Network::parse("127.0.0.1").value()};
  Fetcher fetcher(site.loop, tls::testing_certificates::roots_of(site.root), fetching);
  base::Result<Response> got = base::fail("test", "not ended");
  struct Fetch {
    static io::Task<void> run(Site& s, Fetcher& f, base::Result<Response>& out) {
      Request request{"x.test", "/page", {io::IpAddress::parse("127.0.0.1").value()}};
      out = co_await f.get(std::move(request));
      s.loop.stop();
    }
  };
  site.loop.spawn(Fetch::run(site, fetcher, got));
  site.loop.run();
  site.loop.drop_tasks();
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "x.test ");
  EXPECT_THAT(got->content_type, StartsWith("text/plain"));
}

}  // namespace
}  // namespace pinnace::http
