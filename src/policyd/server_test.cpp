#include "policyd/server.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

#include "socketmap/netstring.hpp"

namespace pinnace::policyd {
namespace {

using namespace std::chrono_literals;

constexpr base::Time kStart{base::Seconds(1'790'000'000)};
constexpr auto kPatience = 20s;

bool wait_until(const std::function<bool()>& true_now) {
  const auto end = io::Steady::now() + kPatience;
  while (!true_now()) {
    if (io::Steady::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

std::string netstring(std::string_view payload) {
  std::string out;
  socketmap::append_netstring(out, payload);
  return out;
}

class Client {
 public:
  explicit Client(const io::Endpoint& to) {
    sockaddr_un local{};
    sockaddr_in inet{};
    const bool is_local = !to.unix_path.empty();
    fd_ = ::socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    local.sun_family = AF_UNIX;
    std::strncpy(local.sun_path, to.unix_path.c_str(), sizeof local.sun_path - 1);
    inet.sin_family = AF_INET;
    inet.sin_port = htons(to.port);
    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int failed = is_local ? ::connect(fd_, reinterpret_cast<sockaddr*>(&local), sizeof local)
                                : ::connect(fd_, reinterpret_cast<sockaddr*>(&inet), sizeof inet);
    EXPECT_EQ(failed, 0) << std::strerror(errno);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;

  // As much as the server takes.
  std::size_t send(std::string_view bytes, int flags = 0) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | flags);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  void finish() { ::shutdown(fd_, SHUT_WR); }
  // The next reply; "closed" at the end, "nothing" when none comes in time.
  std::string reply(std::chrono::milliseconds patience = kPatience) {
    for (;;) {
      const auto next = socketmap::read_netstring(in_, 1'000'000);
      if (next.state == socketmap::Netstring::State::whole) {
        std::string out(next.payload);
        in_.erase(0, next.size);
        return out;
      }
      pollfd wanted{fd_, POLLIN, 0};
      if (::poll(&wanted, 1, static_cast<int>(patience.count())) <= 0) return "nothing";
      char buffer[65536];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      ++reads_;
      if (n <= 0) return "closed";
      in_.append(buffer, static_cast<std::size_t>(n));
    }
  }
  std::string ask(std::string_view payload) {
    send(netstring(payload));
    return reply();
  }
  int reads() const { return reads_; }

 private:
  int fd_ = -1;
  int reads_ = 0;
  std::string in_;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    settings.listen = {*io::Endpoint::parse("127.0.0.1:0")};
    settings.maps = {"pinnace", "report-only"};
    put("a.test", "OK encrypt");
  }
  void put(const std::string& domain, const std::string& reply, Profile profile = 0) {
    answers.put(profile, domain, {reply, kStart + 1h, kStart + 2h, false, kStart});
  }
  void start() {
    server = std::make_unique<Server>(settings, clock, answers,
                                      [this](Profile profile, std::string domain, Server::Tell tell) {
                                        const std::lock_guard lock(mutex);
                                        asked.push_back({profile, std::move(domain), std::move(tell)});
                                      });
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  io::Endpoint at() const { return server->listening().at(0); }

  struct Asked {
    Profile profile;
    std::string domain;
    Server::Tell tell;
  };
  std::size_t asked_count() {
    const std::lock_guard lock(mutex);
    return asked.size();
  }
  Asked wait_asked(std::size_t number) {
    EXPECT_TRUE(wait_until([&] { return asked_count() > number; })) << number;
    const std::lock_guard lock(mutex);
    return asked.at(number);
  }

  ServerSettings settings;
  base::ManualClock clock{kStart};
  Answers answers{1 << 20};
  std::mutex mutex;
  std::vector<Asked> asked;
  std::unique_ptr<Server> server;
};

TEST_F(ServerTest, AnswersWhatIsReady) {
  put("a.test", "NOTFOUND ", 1);
  put("xn--bcher-kva.test", "OK secure");
  put("[mx.a.test]:587", "OK dane-only");
  put("[IPv6:2001:db8::1]", "OK none");
  start();
  Client client(at());
  const struct {
    const char* request;
    const char* reply;
  } cases[] = {
      {"pinnace a.test", "OK encrypt"},
      {"report-only a.test", "NOTFOUND "},
      {"pinnace A.Test.", "OK encrypt"},
      {"pinnace b\xc3\xbc"
       "cher.test",
       "OK secure"},
      {"pinnace [mx.a.test]:submission", "OK dane-only"},
      {"pinnace .a.test", "NOTFOUND "},
      {"pinnace [2001:DB8::1]", "OK none"},
      {"pinnace private/lmtp", "NOTFOUND "},
      {"pinnace what is that", "PERM the key is no domain, host or address: what binds it is not known"},
      {"pinnace a.test:what", "PERM the port of a.test is unknown: write its number"},
      {"other a.test", "PERM there is no map other: see the profiles of [policyd]"},
      {"pinnace", "PERM a request is the map's name, a space and a key"},
      {"pinnace a\ntest", "PERM a request has control characters"},
      {"", "PERM a request is the map's name, a space and a key"},
  };
  for (const auto& c : cases) EXPECT_EQ(client.ask(c.request), c.reply) << c.request;
  EXPECT_EQ(asked_count(), 0U);
  const ServerStats stats = server->stats();
  EXPECT_EQ(stats.requests, 14U);
  EXPECT_EQ(stats.ready, 6U);
  EXPECT_EQ(stats.connections, 1U);
}

TEST_F(ServerTest, AsksForWhatIsNotReady) {
  start();
  Client client(at());
  client.send(netstring("report-only B.test:smtp"));
  const Asked one = wait_asked(0);
  EXPECT_EQ(one.profile, 1);
  EXPECT_EQ(one.domain, "b.test:25");
  one.tell("OK secure match=mx.b.test");
  EXPECT_EQ(client.reply(), "OK secure match=mx.b.test");
  one.tell("OK may");  // once is enough
  EXPECT_EQ(client.ask("pinnace a.test"), "OK encrypt");
  EXPECT_EQ(server->stats().looked_up, 1U);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  start();
  Client client(at());
  client.send(netstring("pinnace a.test") + netstring("pinnace b.test") + netstring("pinnace a.test") +
              netstring("pinnace c.test") + netstring("other a.test"));
  EXPECT_EQ(client.reply(), "OK encrypt");
  const Asked b = wait_asked(0), c = wait_asked(1);
  c.tell("OK c");
  EXPECT_EQ(client.reply(100ms), "nothing") << "what was asked before it is not told yet";
  b.tell("OK b");
  EXPECT_EQ(client.reply(), "OK b");
  EXPECT_EQ(client.reply(), "OK encrypt");
  EXPECT_EQ(client.reply(), "OK c");
  EXPECT_EQ(client.reply().substr(0, 5), "PERM ");
}

TEST_F(ServerTest, ManyReadyOnesAreSentTogether) {
  start();
  Client client(at());
  std::string all;
  for (int i = 0; i < 200; ++i) all += netstring("pinnace a.test");
  ASSERT_EQ(client.send(all), all.size());
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.reply(), "OK encrypt") << i;
  EXPECT_LT(client.reads(), 50);
}

TEST_F(ServerTest, RequestsMayComeOctetByOctet) {
  start();
  Client client(at());
  for (int i = 0; i < 2; ++i) {
    for (const char octet : netstring("pinnace a.test")) client.send({&octet, 1});
    EXPECT_EQ(client.reply(), "OK encrypt");
  }
}

TEST_F(ServerTest, TheEndOfTheRequestsIsNotTheEndOfTheAnswers) {
  start();
  Client client(at());
  client.send(netstring("pinnace b.test") + netstring("pinnace a.test"));
  client.finish();
  wait_asked(0).tell("OK b");
  EXPECT_EQ(client.reply(), "OK b");
  EXPECT_EQ(client.reply(), "OK encrypt");
  EXPECT_EQ(client.reply(), "closed");
}

TEST_F(ServerTest, WhatIsNotToldInTimeIsATimeout) {
  settings.answer_timeout = 50ms;
  start();
  Client client(at());
  client.send(netstring("pinnace b.test") + netstring("pinnace c.test"));
  const Asked b = wait_asked(0);
  EXPECT_EQ(client.reply().substr(0, 8), "TIMEOUT ");
  EXPECT_EQ(client.reply().substr(0, 8), "TIMEOUT ");
  EXPECT_EQ(server->stats().timed_out, 2U);
  b.tell("OK b");  // too late, and for nobody else
  EXPECT_EQ(client.ask("pinnace a.test"), "OK encrypt");
}

TEST_F(ServerTest, WhatIsNoAnswerOrTooLongIsATemporaryFailure) {
  settings.max_request = 1000;
  start();
  Client client(at());
  client.send(netstring("pinnace b.test") + netstring("pinnace c.test"));
  wait_asked(0).tell("OK " + std::string(1000, 'x'));
  wait_asked(1).tell("");
  EXPECT_EQ(client.reply(), "TEMP the answer is longer than Postfix takes");
  EXPECT_EQ(client.reply().substr(0, 5), "TEMP ");
}

TEST_F(ServerTest, WhatIsNoNetstringEndsTheConnection) {
  settings.max_request = 1000;
  start();
  for (const std::string_view bad : {"get a.test\n", "1001:", "9999999:", "00:,", "3:abcd", "-5:"}) {
    Client client(at());
    client.send(netstring("pinnace a.test") + std::string(bad) + netstring("pinnace a.test"));
    EXPECT_EQ(client.reply(), "OK encrypt") << bad;
    EXPECT_EQ(client.reply(), "closed") << bad;
  }
  EXPECT_EQ(server->stats().refused, 6U);
  Client longest(at());
  EXPECT_EQ(longest.ask("pinnace " + std::string(992, 'x')).substr(0, 5), "PERM ");
}

TEST_F(ServerTest, WhoIsTooSlowIsCut) {
  settings.idle_timeout = 300ms;
  start();
  Client idle(at()), slow(at());
  // An octet at a time is no whole request, however many come.
  const auto began = io::Steady::now();
  std::string cut = "nothing";
  for (const char octet : netstring("pinnace " + std::string(500, 'x'))) {
    slow.send({&octet, 1});
    cut = slow.reply(20ms);
    if (cut != "nothing") break;
  }
  EXPECT_EQ(cut, "closed");
  EXPECT_GE(io::Steady::now() - began, 290ms);
  EXPECT_EQ(idle.reply(), "closed");
}

TEST_F(ServerTest, WhoNeverReadsIsNotReadFromAndCut) {
  settings.idle_timeout = 500ms;
  put("long.test", "OK " + std::string(50'000, 'x'));
  start();
  Client client(at());
  std::string many;
  for (int i = 0; i < 400'000; ++i) many += netstring("pinnace long.test");
  ASSERT_TRUE(wait_until([&] { return server->stats().connections == 1; }));
  std::size_t sent = 0, stalls = 0;
  // The server reads no more when its answers are not taken; in the end it closes.
  EXPECT_TRUE(wait_until([&] {
    const std::size_t more = client.send(std::string_view(many).substr(sent), MSG_DONTWAIT);
    sent += more;
    if (more == 0 && sent < many.size()) ++stalls;
    return server->stats().connections == 0;
  }));
  EXPECT_GT(stalls, 0U);
  EXPECT_LT(server->stats().requests, 2000U) << "no more than a few megabytes of answers";
  EXPECT_EQ(server->stats().refused, 0U);
}

TEST_F(ServerTest, RequestsThatWaitAreBounded) {
  start();
  Client client(at());
  std::string all;
  for (int i = 0; i < 200; ++i) all += netstring("pinnace " + std::to_string(i) + ".test");
  ASSERT_EQ(client.send(all), all.size());
  ASSERT_TRUE(wait_until([&] { return asked_count() == 64; }));
  Client other(at());
  EXPECT_EQ(other.ask("pinnace a.test"), "OK encrypt");
  EXPECT_EQ(asked_count(), 64U);
  for (std::size_t i = 0; i < 200; ++i) {
    wait_asked(i).tell("OK " + std::to_string(i));
    ASSERT_EQ(client.reply(), "OK " + std::to_string(i));
  }
  EXPECT_EQ(server->stats().looked_up, 200U);
}

TEST_F(ServerTest, ConnectionsAreBounded) {
  settings.max_connections = 2;
  start();
  auto one = std::make_unique<Client>(at());
  Client two(at());
  EXPECT_EQ(one->ask("pinnace a.test"), "OK encrypt");
  EXPECT_EQ(two.ask("pinnace a.test"), "OK encrypt");
  Client three(at());
  EXPECT_EQ(three.reply(), "closed");
  EXPECT_EQ(two.ask("pinnace a.test"), "OK encrypt");
  one.reset();
  ASSERT_TRUE(wait_until([&] { return server->stats().connections == 1; }));
  Client four(at());
  EXPECT_EQ(four.ask("pinnace a.test"), "OK encrypt");
}

TEST_F(ServerTest, UnixSocketsHaveTheirMode) {
  char folder[] = "/tmp/pinnace-server-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/socket";
  settings.listen.push_back(*io::Endpoint::parse("unix:" + path));
  settings.socket_mode = "0666";
  start();
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666U);
  Client client(server->listening().at(1));
  EXPECT_EQ(client.ask("pinnace a.test"), "OK encrypt");
  server.reset();
  EXPECT_NE(::stat(path.c_str(), &info), 0) << "removed with its server";
  settings.socket_mode = "0888";
  Server wrong(settings, clock, answers, [](Profile, std::string, Server::Tell) {});
  const auto started = wrong.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, "policyd.socket_mode");
  ::rmdir(folder);
}

TEST_F(ServerTest, WhatCannotBeBoundIsToldAtTheStart) {
  start();
  settings.listen = {at()};
  Server second(settings, clock, answers, [](Profile, std::string, Server::Tell) {});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, "io.listen");
}

TEST_F(ServerTest, WhoStartsItGivesWay) {
  int before = 0, after = 0;
  // In a thread of its own, since the tests are to go on as they are.
  std::thread([&] {
    before = ::getpriority(PRIO_PROCESS, 0);
    start();
    after = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(after, std::max(before, 5));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before) << "the threads beside it do not";
}

TEST_F(ServerTest, StoppedItStillGivesWhatIsToldSoon) {
  start();
  Client waits(at()), idle(at());
  EXPECT_EQ(idle.ask("pinnace a.test"), "OK encrypt");
  waits.send(netstring("pinnace b.test"));
  const Asked b = wait_asked(0);
  server->stop();
  EXPECT_EQ(idle.reply(), "closed");
  b.tell("OK b");
  EXPECT_EQ(waits.reply(), "OK b");
  EXPECT_EQ(waits.reply(), "closed");
}

TEST_F(ServerTest, StoppedItWaitsForASecondAtMost) {
  start();
  Client client(at());
  client.send(netstring("pinnace b.test"));
  const Asked b = wait_asked(0);
  const auto began = io::Steady::now();
  server.reset();
  EXPECT_LT(io::Steady::now() - began, 10s);
  EXPECT_EQ(client.reply(), "closed");
  b.tell("OK b");  // nobody is there any more
}

TEST_F(ServerTest, ManyThreadsTell) {
  start();
  std::vector<std::unique_ptr<Client>> clients;
  std::string all;
  for (int i = 0; i < 50; ++i) all += netstring("pinnace " + std::to_string(i) + ".test");
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(at()));
    clients.back()->send(all);
  }
  ASSERT_TRUE(wait_until([&] { return asked_count() == 200; }));
  std::vector<std::thread> tellers;
  for (std::size_t t = 0; t < 4; ++t) {
    tellers.emplace_back([&, t] {
      for (std::size_t i = t; i < 200; i += 4) asked[i].tell("OK " + asked[i].domain);
    });
  }
  for (auto& teller : tellers) teller.join();
  for (auto& client : clients) {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(client->reply(), "OK " + std::to_string(i) + ".test");
  }
}

}  // namespace
}  // namespace pinnace::policyd
