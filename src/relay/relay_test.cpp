// Sessions in their own right: what becomes of others when one comes to a bad end.
#include "relay/relay.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <new>

namespace pinnace::relay {
namespace {

using namespace std::chrono_literals;

// Memory may be short anywhere; here it is where a message begins.
class Clock final : public base::Clock {
 public:
  bool throws = false;
  base::Time now() const override {
    if (throws) throw std::bad_alloc();
    return base::Time(base::Seconds(1'700'000'000));
  }
};

struct RelayTest : testing::Test {
  std::string folder = testing::TempDir() + "pinnace_relay_XXXXXX";
  io::Loop loop;
  base::ManualClock time{base::Time(base::Seconds(1'700'000'000))};
  Clock clock;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<queue::Queue> queue;
  std::optional<Relay> relay;
  io::Endpoint at;

  RelayTest() {
    mkdtemp(folder.data());
    db = std::move(store::Database::open(loop, folder + "/data", {}).value());
    queue = std::move(queue::Queue::open(loop, *db, time, {}, [](const std::string&) {}).value());
    Settings settings;
    settings.hostname = "relay.sender.test";
    ListenerSettings& listener = settings.listeners.emplace_back();
    listener.name = "relay";
    listener.networks = {*io::Network::parse("127.0.0.0/8")};
    // A port that is free.
    at = *io::Endpoint::parse("127.0.0.1:0");
    const auto free = io::Listener::bind(loop, at);
    at = free->local();
    listener.addresses = {at};
    relay.emplace(loop, clock, *queue, settings, std::nullopt, nullptr);
  }
  ~RelayTest() override {
    loop.drop_tasks();
    relay.reset();
    queue.reset();
    db.reset();
    std::filesystem::remove_all(folder);
  }

  // What the relay says to all of `text`, sent at once, until it closes.
  io::Task<void> talk(std::string text, std::string& said) {
    auto stream = co_await io::connect(loop, at, 5s);
    if (stream) {
      stream->set_idle_timeout(10s);
      const auto sent = co_await stream->write_all(text);
      char buffer[1024];
      for (bool open = sent.has_value(); open;) {
        const auto n = co_await stream->read_some(buffer, sizeof buffer);
        open = n && *n > 0;
        if (open) said.append(buffer, *n);
      }
    }
    loop.stop();
  }
  std::string say(std::string text) {
    std::string said;
    loop.spawn(talk(std::move(text), said));
    loop.run();
    return said;
  }
};

TEST_F(RelayTest, ASessionThatThrowsEndsItselfOnly) {
  ASSERT_TRUE(relay->start());
  const std::string message =
      "EHLO a\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<b@plain.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n"
      ".\r\nQUIT\r\n";
  std::string other;
  loop.spawn(talk("EHLO b\r\n", other));
  clock.throws = true;
  for (int i = 0; i < 3; ++i) EXPECT_THAT(say(message), testing::Not(testing::HasSubstr("2.0.0")));
  clock.throws = false;
  EXPECT_EQ(relay->sessions(), 1U) << "the other's";
  EXPECT_THAT(say(message), testing::HasSubstr("250 2.0.0 queued as "));
  EXPECT_EQ(relay->sessions(), 1U);
  EXPECT_EQ(queue->stats().messages, 1U);
  EXPECT_THAT(other, testing::HasSubstr("250 "));
}

}  // namespace
}  // namespace pinnace::relay
