#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "io/address.hpp"
#include "io/loop.hpp"
#include "io/reserve.hpp"
#include "io/stream.hpp"
#include "io/worker.hpp"

namespace pinnace::io {
namespace {

using namespace std::chrono_literals;

Task<int> ready_value(int v) { co_return v; }

Task<void> sum_many(long& sum) {
  for (int i = 0; i < 1'000'000; ++i) sum += co_await ready_value(1);
}

TEST(Task, MillionReadyAwaitsDoNotGrowTheStack) {
  Loop loop;
  long sum = 0;
  loop.spawn(sum_many(sum));
  EXPECT_EQ(sum, 1'000'000);
  EXPECT_EQ(loop.tasks(), 0U);
}

Task<int> fails() {
  throw std::runtime_error("broken");
  co_return 0;
}

Task<void> catches(std::string& what) {
  try {
    co_await fails();
  } catch (const std::exception& e) {
    what = e.what();
  }
}

TEST(Task, ExceptionReachesTheAwaiter) {
  Loop loop;
  std::string what;
  loop.spawn(catches(what));
  EXPECT_EQ(what, "broken");
}

Task<void> wait_on(Timer& timer, bool& elapsed, bool& ended) {
  elapsed = co_await timer.wait(1h);
  ended = true;
}

TEST(Timer, CancelCutsTheWaitShort) {
  Loop loop;
  Timer timer(loop);
  bool elapsed = true, ended = false;
  loop.spawn(wait_on(timer, elapsed, ended));
  loop.post([&] { timer.cancel(); });
  loop.run();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(elapsed);
}

TEST(Loop, GoesOnBehindASignalWhoseHandlerThrows) {
  Loop loop;
  int heard = 0;
  loop.on_signal(SIGUSR2, [&] {
    if (++heard == 2) return loop.stop();
    loop.post([] { std::raise(SIGUSR2); });
    throw std::bad_alloc();
  });
  loop.post([] { std::raise(SIGUSR2); });
  loop.run();
  EXPECT_EQ(heard, 2);
}

TEST(Loop, DropTasksDestroysWhatStillWaits) {
  Loop loop;
  Timer timer(loop);
  bool elapsed = false, ended = false;
  loop.spawn(wait_on(timer, elapsed, ended));
  EXPECT_EQ(loop.tasks(), 1U);
  loop.drop_tasks();
  EXPECT_EQ(loop.tasks(), 0U);
  EXPECT_FALSE(ended);
}

Task<void> use_worker(Loop& loop, Worker& worker, int& out) {
  out = co_await worker.run([] { return 42; });
  loop.stop();
}

TEST(Worker, GivesTheValueBackOnTheLoop) {
  Loop loop;
  Worker worker(loop);
  Timer deadline(loop);
  bool elapsed = false, ended = false;
  loop.spawn(wait_on(deadline, elapsed, ended));
  int out = 0;
  loop.spawn(use_worker(loop, worker, out));
  loop.run();
  loop.drop_tasks();
  EXPECT_EQ(out, 42);
}

Task<void> fail_on_worker(Loop& loop, Worker& worker, std::string& what) {
  try {
    co_await worker.run([]() -> int { throw std::runtime_error("broken"); });
  } catch (const std::exception& e) {
    what = e.what();
  }
  loop.stop();
}

TEST(Worker, WhatAJobThrowsReachesWhoAsked) {
  Loop loop;
  Worker worker(loop);
  Timer deadline(loop);
  bool elapsed = false, ended = false;
  loop.spawn(wait_on(deadline, elapsed, ended));
  std::string what;
  loop.spawn(fail_on_worker(loop, worker, what));
  loop.run();
  loop.drop_tasks();
  EXPECT_EQ(what, "broken");
}

Task<void> echo_once(Listener& listener) {
  auto stream = co_await listener.accept();
  char buffer[64];
  auto n = co_await stream->read_some(buffer, sizeof buffer);
  co_await stream->write_all(std::string_view(buffer, *n));
}

Task<void> talk(Loop& loop, Endpoint to, std::string& heard, std::size_t& at_end) {
  auto stream = co_await connect(loop, to, 5s);
  if (!stream) {
    heard = stream.error().detail;
    co_return;
  }
  co_await stream->write_all("ahoy");
  char buffer[64];
  auto n = co_await stream->read_some(buffer, sizeof buffer);
  heard.assign(buffer, *n);
  auto end = co_await stream->read_some(buffer, sizeof buffer);
  at_end = end.value_or(99);
}

TEST(Stream, EchoOverTcpThenOrderlyEnd) {
  Loop loop;
  auto listener = Listener::bind(loop, *Endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener) << listener.error().detail;
  std::string heard;
  std::size_t at_end = 7;
  loop.spawn(echo_once(*listener));
  loop.spawn(talk(loop, listener->local(), heard, at_end));
  loop.run();
  EXPECT_EQ(heard, "ahoy");
  EXPECT_EQ(at_end, 0U);
}

Task<void> read_until_timeout(Loop& loop, int fd, std::string& code) {
  Stream stream(loop, fd, "pair");
  stream.set_idle_timeout(50ms);
  char byte;
  auto n = co_await stream.read_some(&byte, 1);
  code = n ? "read" : std::string(n.error().code);
}

// A port that is reserved is nobody else's, and is listened on by who binds it.
TEST(Listener, ReservedAddressesAreListenedOnLater) {
  Loop loop;
  const auto free = Listener::bind(loop, *Endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(free);
  EXPECT_FALSE(reserve(loop, free->local())) << "somebody listens there";
  Endpoint at = free->local();
  at.port = static_cast<std::uint16_t>(at.port == 65535 ? 1024 : at.port + 1);
  while (!reserve(loop, at)) ++at.port;
  const auto connects = [&loop, &at] {
    bool done = false;
    loop.spawn([](Loop& l, Endpoint to, bool& out) -> Task<void> {
      const auto stream = co_await connect(l, to, std::chrono::seconds(5));
      out = stream.has_value();
      l.stop();
    }(loop, at, done));
    loop.run();
    return done;
  };
  EXPECT_FALSE(connects()) << "nobody listens yet";
  auto listener = Listener::bind(loop, at);
  ASSERT_TRUE(listener) << listener.error().detail;
  EXPECT_EQ(listener->local().str(), at.str());
  EXPECT_TRUE(connects());
  loop.drop_tasks();
}

TEST(Stream, SilentPeerTimesOut) {
  Loop loop;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  std::string code;
  loop.spawn(read_until_timeout(loop, fds[0], code));
  loop.run();
  EXPECT_EQ(code, "io.timeout");
  ::close(fds[1]);
}

// Stops the loop at the end: a stream that is there keeps it running.
Task<void> read_all(Loop& loop, Stream& stream, std::size_t room, std::string& heard, std::string& end) {
  std::string buffer(room, '\0');
  for (;;) {
    auto n = co_await stream.read_some(buffer.data(), room);
    end = n ? "closed" : std::string(n.error().code);
    if (!n || *n == 0) {
      loop.stop();
      co_return;
    }
    heard.append(buffer, 0, *n);
  }
}

struct Pair {
  Loop loop;
  int far;
  std::unique_ptr<Stream> near;
  Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    far = fds[1];
    near = std::make_unique<Stream>(loop, fds[0], "pair");
    near->set_idle_timeout(5s);
  }
  ~Pair() {
    near.reset();
    ::close(far);
  }
};

// Every change is told of once only: none may be missed, whatever is read at a time.
TEST(Stream, WhatCameTogetherWithTheEndIsReadAndThenTheEnd) {
  for (const std::size_t room : {1U, 3U, 4U, 5U, 100U}) {
    Pair pair;
    ASSERT_EQ(::send(pair.far, "ahoy", 4, 0), 4);
    ::shutdown(pair.far, SHUT_WR);
    std::string heard, end;
    pair.loop.spawn(read_all(pair.loop, *pair.near, room, heard, end));
    pair.loop.run();
    EXPECT_EQ(heard, "ahoy") << room;
    EXPECT_EQ(end, "closed") << room;
  }
}

TEST(Stream, WhatCameWhileNobodyReadIsThereAfterwards) {
  Pair pair;
  std::string heard, end;
  ASSERT_EQ(::send(pair.far, "one", 3, 0), 3);
  pair.loop.spawn(read_all(pair.loop, *pair.near, 100, heard, end));
  for (const char* more : {"two", "six"}) {
    pair.loop.post([&, more] { ASSERT_EQ(::send(pair.far, more, 3, 0), 3); });
  }
  pair.loop.post([&] { ::shutdown(pair.far, SHUT_WR); });
  pair.loop.run();
  EXPECT_EQ(heard, "onetwosix");
  EXPECT_EQ(end, "closed");
}

// Timers, signals and other peers would wait for ever.
TEST(Stream, APeerThatSendsFasterThanItIsReadLeavesOthersTheirTurn) {
  Pair pair;
  const std::string much(1000, 'x');
  ASSERT_EQ(::send(pair.far, much.data(), much.size(), 0), 1000);
  ::shutdown(pair.far, SHUT_WR);
  std::string heard, end;
  std::size_t read_before_others = 0;
  pair.loop.spawn(read_all(pair.loop, *pair.near, 1, heard, end));
  pair.loop.post([&] { pair.loop.post([&] { read_before_others = heard.size(); }); });
  pair.loop.run();
  EXPECT_EQ(heard, much);
  EXPECT_EQ(end, "closed");
  EXPECT_GT(read_before_others, 0U);
  EXPECT_LT(read_before_others, 200U);
}

TEST(Stream, AnInterruptEndsAWaitAndEveryLaterOne) {
  Pair pair;
  std::string heard, end;
  pair.loop.spawn(read_all(pair.loop, *pair.near, 100, heard, end));
  pair.loop.post([&] { pair.near->interrupt(); });
  pair.loop.run();
  EXPECT_EQ(end, "io.interrupted");
  pair.loop.spawn(read_all(pair.loop, *pair.near, 100, heard, end));
  EXPECT_EQ(end, "io.interrupted");
}

Task<void> write_much(Stream& stream, const std::string& text, bool& done) {
  const auto written = co_await stream.write_all(text);
  done = written.has_value();
  stream.close();
}

TEST(Stream, AWriterWaitsForRoomAsOftenAsItTakes) {
  Loop loop;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  Stream from(loop, fds[0], "pair"), to(loop, fds[1], "pair");
  const std::string text(5 << 20, 'x');
  bool done = false;
  std::string heard, end;
  loop.spawn(write_much(from, text, done));
  loop.spawn(read_all(loop, to, 70'000, heard, end));
  loop.run();
  EXPECT_TRUE(done);
  EXPECT_EQ(heard.size(), text.size());
  EXPECT_EQ(end, "closed");
}

Task<void> end_others(Loop& loop, std::vector<std::unique_ptr<Stream>>& all, std::size_t own, int& ended) {
  char byte;
  auto n = co_await all[own]->read_some(&byte, 1);
  (void)n;
  if (++ended == static_cast<int>(all.size())) loop.stop();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i != own && all[i]) all[i]->close();
  }
}

TEST(Stream, OneThatEndsOthersInTheSameTurnWakesThemOnce) {
  Loop loop;
  std::vector<std::unique_ptr<Stream>> all;
  std::vector<int> far;
  for (int i = 0; i < 50; ++i) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    all.push_back(std::make_unique<Stream>(loop, fds[0], "pair"));
    far.push_back(fds[1]);
    ASSERT_EQ(::send(fds[1], "x", 1, 0), 1);
  }
  int ended = 0;
  for (std::size_t i = 0; i < all.size(); ++i) loop.spawn(end_others(loop, all, i, ended));
  loop.run();
  EXPECT_EQ(ended, 50);
  for (const int fd : far) ::close(fd);
}

TEST(Stream, RefusedConnectionNamesTheReason) {
  Loop loop;
  Endpoint nobody;
  {
    auto gone = Listener::bind(loop, *Endpoint::parse("127.0.0.1:0"));
    nobody = gone->local();
  }
  std::string heard;
  std::size_t at_end = 0;
  loop.spawn(talk(loop, nobody, heard, at_end));
  loop.run();
  EXPECT_THAT(heard, testing::HasSubstr("Connection refused"));
}

Task<void> accept_all(Listener& listener, std::size_t& accepted) {
  for (;;) {
    const auto stream = co_await listener.accept();
    if (!stream) co_return;
    ++accepted;
  }
}

Task<void> talk_to_nobody(Loop& loop, Endpoint to) {
  auto stream = co_await connect(loop, to, 5s);
  char buffer[1];
  if (stream) (void)co_await stream->read_some(buffer, sizeof buffer);
}

// Who connects faster than he is turned away would be the only one whom the loop knows.
TEST(Listener, AFloodOfConnectionsLeavesOthersTheirTurn) {
  constexpr std::size_t kFlood = 300;
  Loop loop;
  Endpoint at;
  at.unix_path = testing::TempDir() + "flood-" + std::to_string(::getpid());
  auto listener = Listener::bind(loop, at);
  ASSERT_TRUE(listener);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  at.unix_path.copy(to.sun_path, sizeof to.sun_path - 1);
  std::vector<int> clients;
  for (std::size_t i = 0; i < kFlood; ++i) {
    clients.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(clients.back(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0) << i;
  }
  std::size_t accepted = 0, before_others = 0;
  loop.spawn(accept_all(*listener, accepted));
  loop.post([&] { before_others = accepted; });
  Timer end(loop);
  loop.spawn([](Loop& l, Timer& timer, const std::size_t& count) -> Task<void> {
    const auto until = Steady::now() + 10s;
    while (count < kFlood && Steady::now() < until) {
      const bool elapsed = co_await timer.wait(1ms);
      (void)elapsed;
    }
    l.stop();
  }(loop, end, accepted));
  loop.run();
  EXPECT_EQ(accepted, kFlood);
  EXPECT_LT(before_others, 200U);
  for (const int fd : clients) ::close(fd);
}

// What ends one connection must not end the door.
TEST(Listener, GoesOnBehindAConnectionWhoseTakerThrows) {
  Loop loop;
  auto listener = Listener::bind(loop, *Endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener);
  int taken = 0;
  loop.spawn(listener->each([&](Stream) {
    if (++taken < 3) throw std::bad_alloc();
    listener->close();
  }));
  for (int i = 0; i < 3; ++i) loop.spawn(talk_to_nobody(loop, listener->local()));
  loop.run();
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(loop.tasks(), 0U) << "it ends when it is closed";
}

TEST(Listener, ClosedInItsPauseItEndsAtOnce) {
  Loop loop;
  auto listener = Listener::bind(loop, *Endpoint::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener);
  loop.spawn(listener->each([&](Stream) {
    loop.post([&] { loop.post([&] { listener->close(); }); });
    throw std::bad_alloc();
  }));
  loop.spawn(talk_to_nobody(loop, listener->local()));
  loop.run();
  EXPECT_EQ(loop.tasks(), 0U);
}

TEST(Socket, OneThatCannotBeWatchedIsNotLeftOpen) {
  Loop loop;
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);  // epoll_ctl(2): EPERM
  ASSERT_GE(file, 0);
  EXPECT_THROW(Socket(loop, file), std::system_error);
  EXPECT_EQ(::fcntl(file, F_GETFD), -1);
}

TEST(Listener, StaleUnixSocketIsReplacedAndLiveOneIsNot) {
  Loop loop;
  const std::string path = testing::TempDir() + "pinnace_io_test.sock";
  const auto at = Endpoint::parse("unix:" + path);
  ::unlink(path.c_str());
  auto first = Listener::bind(loop, *at);
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_FALSE(Listener::bind(loop, *at));
  // What a killed process leaves: the file without a listener.
  ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);
  first->close();
  ASSERT_EQ(::rename((path + ".old").c_str(), path.c_str()), 0);
  auto second = Listener::bind(loop, *at);
  EXPECT_TRUE(second) << second.error().detail;
}

TEST(IpAddress, ParseAndPrint) {
  const struct {
    const char* text;
    const char* printed;  // null: refused
  } cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"2001:DB8::1", "2001:db8::1"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"192.0.2", nullptr},
      {"192.0.2.256", nullptr},
      {"[::1]", nullptr},
      {"", nullptr},
      {"1.2.3.4 ", nullptr},
  };
  for (const auto& c : cases) {
    const auto parsed = IpAddress::parse(c.text);
    ASSERT_EQ(parsed.has_value(), c.printed != nullptr) << c.text;
    if (parsed) {
      EXPECT_EQ(parsed->str(), c.printed);
    }
  }
}

TEST(IpAddress, OfIpv6ANetworkIsOneParty) {
  for (const auto& [address, party] :
       std::initializer_list<std::pair<const char*, const char*>>{{"192.0.2.1", "192.0.2.1"},
                                                                  {"::ffff:192.0.2.1", "192.0.2.1"},
                                                                  {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
                                                                  {"2001:db8:1:2::", "2001:db8:1:2::"},
                                                                  {"::1", "::"}}) {
    EXPECT_EQ(IpAddress::parse(address)->party().str(), party) << address;
  }
}

TEST(Network, Contains) {
  const struct {
    const char* network;
    const char* address;
    bool inside;
  } cases[] = {
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"0.0.0.0/0", "8.8.8.8", true},
      {"0.0.0.0/0", "::1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Network::parse(c.network)->contains(*IpAddress::parse(c.address)), c.inside)
        << c.network << " " << c.address;
  }
  EXPECT_FALSE(Network::parse("192.0.2.0/33"));
  EXPECT_FALSE(Network::parse("192.0.2.0/"));
}

TEST(Endpoint, ParseAndPrint) {
  for (const char* good : {"192.0.2.1:25", "[2001:db8::1]:465", "unix:/run/pinnace.sock"}) {
    const auto parsed = Endpoint::parse(good);
    ASSERT_TRUE(parsed) << good;
    EXPECT_EQ(parsed->str(), good);
  }
  for (const char* bad : {"", "192.0.2.1", "2001:db8::1:25", "192.0.2.1:65536", "mx.test:25",
                          "[192.0.2.1]:25", "192.0.2.1:", "unix:"}) {
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace pinnace::io
