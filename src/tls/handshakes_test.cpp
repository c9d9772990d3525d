#include "tls/handshakes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <new>

#include "tls/certificate_fixture.hpp"
#include "tls/session.hpp"
#include "tls/session_fixture.hpp"

namespace pinnace::tls {
namespace {

using namespace std::chrono_literals;
using namespace testing_certificates;
using namespace testing_sessions;
using State = io::Outcome::State;

// A step that lasts until the test says so.
struct Gate {
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::shared_ptr<std::atomic<std::size_t>> begun = std::make_shared<std::atomic<std::size_t>>(0);

  std::function<io::Outcome()> step() {
    return [opened = opened, begun = begun] {
      ++*begun;
      const bool in_time = opened.wait_for(30s) == std::future_status::ready;
      return io::Outcome{in_time ? State::done : State::failed, 0, {}};
    };
  }
};

class HandshakeThreads : public testing::Test {
 protected:
  io::Task<void> run_one(io::Stream& stream, std::string name) {
    const auto out = co_await handshakes.run(stream, gate.step());
    events.push_back(name + (!out                        ? " " + std::string(out.error().code)
                             : out->state == State::done ? ""
                                                         : " stuck"));
  }
  // Another session of the same loop; behind it the steps may end.
  io::Task<void> talk() {
    for (int round = 0; round < 20; ++round) {
      const auto asked = co_await pair.client->write_all("NOOP\r\n");
      EXPECT_TRUE(asked);
      char buffer[16];
      const auto heard = co_await pair.server->read_some(buffer, sizeof buffer);
      EXPECT_TRUE(heard && *heard == 6);
    }
    events.emplace_back("talked");
    gate.open.set_value();
  }

  io::Task<void> open_behind(std::string event) {
    io::Timer timer(pair.loop);
    while (std::find(events.begin(), events.end(), event) == events.end()) {
      const bool elapsed = co_await timer.wait(1ms);
      if (!elapsed) break;
    }
    gate.open.set_value();
  }
  io::Task<void> stop_when_begun() {
    io::Timer timer(pair.loop);
    while (gate.begun->load() == 0) {
      const bool elapsed = co_await timer.wait(1ms);
      if (!elapsed) break;
    }
    pair.loop.stop();
  }

  Gate gate;
  Pair pair, other;
  std::vector<std::string> events;
  Handshakes handshakes{pair.loop};
};

TEST_F(HandshakeThreads, TheLoopServesOthersWhileStepsTakeTheirTime) {
  for (std::size_t i = 0; i < Handshakes::kMost; ++i) pair.loop.spawn(run_one(*other.client, "step"));
  pair.loop.spawn(talk());
  run_to_the_end(pair.loop);
  ASSERT_EQ(events.size(), Handshakes::kMost + 1);
  EXPECT_EQ(events.front(), "talked");
  EXPECT_EQ(std::count(events.begin(), events.end(), "step"), static_cast<std::ptrdiff_t>(Handshakes::kMost));
}

TEST_F(HandshakeThreads, WhoWaitsInLineDoesSoInItsOwnTime) {
  for (std::size_t i = 0; i < Handshakes::kMost; ++i) pair.loop.spawn(run_one(*other.client, "step"));
  io::Stream& patient = *other.server;
  io::Stream& hasty = *pair.server;
  patient.set_idle_timeout(30s);
  hasty.set_deadline(io::Steady::now() + 20ms);
  pair.loop.spawn(run_one(hasty, "hasty"));
  pair.loop.spawn(run_one(patient, "patient"));
  pair.loop.spawn(open_behind("hasty io.timeout"));
  run_to_the_end(pair.loop);
  ASSERT_EQ(events.size(), Handshakes::kMost + 2);
  EXPECT_EQ(events.front(), "hasty io.timeout");
  EXPECT_EQ(std::count(events.begin(), events.end(), "patient"), 1);
  EXPECT_EQ(gate.begun->load(), Handshakes::kMost + 1);
}

TEST_F(HandshakeThreads, AStepThatThrowsGivesItsPlaceBack) {
  const auto fail = [](Handshakes& of, io::Stream& stream) -> io::Task<void> {
    const auto out = co_await of.run(stream, []() -> io::Outcome { throw std::bad_alloc(); });
    ADD_FAILURE() << out.has_value();
  };
  for (std::size_t i = 0; i < 2 * Handshakes::kMost; ++i) pair.loop.spawn(fail(handshakes, *other.client));
  gate.open.set_value();
  pair.loop.spawn(run_one(*other.client, "step"));
  run_to_the_end(pair.loop);
  EXPECT_EQ(events, std::vector<std::string>{"step"});
}

TEST_F(HandshakeThreads, AStepMayOutliveTheTaskThatAskedForIt) {
  pair.loop.spawn(run_one(*other.client, "step"));
  pair.loop.spawn(stop_when_begun());
  pair.loop.run();
  pair.loop.drop_tasks();
  other.client.reset();
  gate.open.set_value();
  EXPECT_TRUE(events.empty());
}

// A listener that takes clients while others' handshakes are under way.
struct Greeter {
  io::Loop& loop;
  io::Listener listener;
  std::size_t shaken = 0, served = 0;

  io::Task<void> greet() {
    for (;;) {
      auto stream = co_await listener.accept();
      if (!stream) co_return;
      const auto greeted = co_await stream->write_all("220 ready\r\n");
      EXPECT_TRUE(greeted);
      char line[16];
      const auto asked = co_await stream->read_some(line, sizeof line);
      EXPECT_TRUE(asked && *asked == 6);
      const auto answered = co_await stream->write_all("250 ok\r\n");
      EXPECT_TRUE(answered);
    }
  }
  io::Task<void> visit(std::size_t until_shaken) {
    while (shaken < until_shaken) {
      auto stream = co_await io::connect(loop, listener.local(), 30s);
      if (!stream) break;
      char line[16];
      const auto greeting = co_await stream->read_some(line, sizeof line);
      EXPECT_TRUE(greeting && *greeting == 11);
      const auto asked = co_await stream->write_all("NOOP\r\n");
      EXPECT_TRUE(asked);
      const auto answer = co_await stream->read_some(line, sizeof line);
      EXPECT_TRUE(answer && *answer == 8);
      ++served;
    }
    listener.close();
  }
  io::Task<void> shake_server(io::Stream& stream, ServerContext context, Handshakes& handshakes) {
    const auto done = co_await start_server(stream, context, handshakes);
    EXPECT_TRUE(done) << done.error().detail;
    ++shaken;
  }
  io::Task<void> shake_client(io::Stream& stream) {
    const auto done = co_await start_client(stream, ClientContext(), {"mx.x.test", {}});
    EXPECT_TRUE(done) << done.error().detail;
  }
};

TEST(Handshakes, ABurstWithALargeKeyDelaysNobodyElse) {
  constexpr std::size_t kBurst = 200;
  const Folder folder;
  Request request{"leaf", "DNS:mx.x.test"};
  request.rsa_bits = 4096;
  const Certificate leaf = make(request);
  const auto context =
      ServerContext::load(folder.write("cert.pem", leaf.pem()), folder.write("key.pem", leaf.key_pem()));
  ASSERT_TRUE(context) << context.error().detail;
  io::Loop loop;
  io::Endpoint at;
  at.unix_path = folder.path + "/socket";
  Greeter greeter{loop, io::Listener::bind(loop, at).value()};
  std::deque<io::Stream> ends;
  Handshakes handshakes(loop);
  for (std::size_t i = 0; i < kBurst; ++i) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (const int fd : fds) ends.emplace_back(loop, fd, "the peer").set_idle_timeout(60s);
    loop.spawn(greeter.shake_client(ends[2 * i]));
    loop.spawn(greeter.shake_server(ends[2 * i + 1], *context, handshakes));
  }
  loop.spawn(greeter.greet());
  loop.spawn(greeter.visit(kBurst));
  run_to_the_end(loop);
  EXPECT_EQ(greeter.shaken, kBurst);
  // On the loop's own thread all of them would be done in a few rounds of it.
  EXPECT_GE(greeter.served, 20u);
}

}  // namespace
}  // namespace pinnace::tls
