// Which destination's mail is tried when, over real connections to hosts on loopback, found by address
// literals.
#include "delivery/deliverer.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "delivery/mail_host_fixture.hpp"

namespace pinnace::delivery {
namespace {

using namespace std::chrono_literals;
using namespace fixture;

constexpr const char* kHere = "[127.0.0.1]";
constexpr const char* kThere = "[127.0.0.2]";

io::Task<void> keep_id(queue::Queue::Writer writer, queue::MessageId& out, io::Loop& loop) {
  const auto written = co_await writer.append("Subject: a\r\n\r\ntext\r\n");
  EXPECT_TRUE(written);
  const auto id = co_await writer.commit({});
  EXPECT_TRUE(id);
  out = *id;
  loop.stop();
}

// The time of the queue is the test's, that of connections is real.
class DelivererTest : public testing::Test {
 protected:
  DelivererTest() {
    std::string name = testing::TempDir() + "pinnace_deliverer_XXXXXX";
    folder = mkdtemp(name.data());
    settings.hostname = "relay.test";
    settings.connect_timeout = 5s;
    db = std::move(store::Database::open(loop, folder, {}).value());
    dns::Settings nothing;
    nothing.stubs = {{"test.", "127.0.0.1@1"}};
    resolver = std::move(dns::Resolver::create(loop, nothing).value());
    routes = std::make_unique<discovery::Routes>(loop, *resolver);
    fetcher = std::make_unique<http::Fetcher>(loop, tls::TrustStore::system(), http::Settings{});
    sts = std::make_unique<discovery::StsPolicies>(loop, *resolver, nullptr, clock, *fetcher);
    pins = std::make_unique<discovery::PinStore>(*db);
    gatherer = std::make_unique<discovery::Gatherer>(clock, *routes, *sts, pins.get(), 25);
  }
  ~DelivererTest() override {
    loop.drop_tasks();
    std::filesystem::remove_all(folder);
  }

  void open_queue(queue::ScheduleSettings schedule) {
    const auto on_due = [this](const std::string& destination) {
      if (fault == destination) throw std::runtime_error("a fault of " + std::exchange(fault, ""));
      if (deliverer) deliverer->wake(destination);
    };
    queue = std::move(queue::Queue::open(loop, *db, clock, schedule, on_due).value());
  }
  queue::MessageId accept(const std::string& destination, const std::string& from = "a@x.test",
                          const std::string& route = {}, queue::TlsWish wish = queue::TlsWish::none) {
    queue::Envelope envelope;
    envelope.tls_wish = wish;
    envelope.reverse_path = from;
    envelope.recipients.emplace_back("bob@" + destination);
    envelope.route = route;
    queue::MessageId id;
    loop.spawn(keep_id(queue->begin(envelope), id, loop));
    while (id.value == 0) loop.run();
    return id;
  }
  void limit(std::optional<policy::Rate> rate, std::optional<std::uint32_t> concurrency) {
    policy::Rule all(policy::Rule::Subject::domain, policy::NamePattern::parse("*").value());
    all.rate = rate;
    all.concurrency = concurrency;
    gatherer->set_rules(std::make_shared<const policy::RuleBook>(policy::RuleBook::make({all}).value()));
  }
  void start() {
    deliverer = std::make_unique<Deliverer>(Tools{loop, clock, settings, {}, tls::TrustStore::system()},
                                            *queue, *gatherer, *pins);
    for (const std::string& one : queue->due_destinations()) deliverer->wake(one);
  }
  // Lets all go on until it is so; false: it is not in ten seconds.
  bool wait_for(const std::function<bool()>& so) {
    const auto deadline = io::Steady::now() + 10s;
    while (!so() && io::Steady::now() < deadline) {
      loop.spawn(stop_soon(loop));
      loop.run();
    }
    return so();
  }
  static io::Task<void> stop_soon(io::Loop& loop) {
    io::Timer timer(loop);
    const bool elapsed = co_await timer.wait(10ms);
    EXPECT_TRUE(elapsed);
    loop.stop();
  }
  std::uint32_t attempts(queue::MessageId id) {
    const auto message = queue->find(id).value();
    return message ? message->recipients.front().attempts : 0;
  }

  std::string folder;
  base::ManualClock clock{kNow};
  Settings settings;
  io::Loop loop;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<dns::Resolver> resolver;
  std::unique_ptr<discovery::Routes> routes;
  std::unique_ptr<http::Fetcher> fetcher;
  std::unique_ptr<discovery::StsPolicies> sts;
  std::unique_ptr<discovery::PinStore> pins;
  std::unique_ptr<discovery::Gatherer> gatherer;
  std::unique_ptr<Deliverer> deliverer;
  std::unique_ptr<queue::Queue> queue;
  std::string fault;  // a destination for which the queue's call throws, once
};

// One session, and then nobody listens.
io::Task<void> serve_once(io::Listener& listener, std::vector<std::string> replies) {
  auto stream = co_await listener.accept();
  if (!stream) co_return;
  listener.close();
  for (const std::string& reply : replies) {
    const auto sent = co_await stream->write_all(reply);
    char buffer[2048];
    const auto n = co_await stream->read_some(buffer, sizeof buffer);
    if (!sent || !n || *n == 0) co_return;
  }
}

// The session that broke counted on as one over which the others reach the host: they were given back and
// taken again without end.
TEST_F(DelivererTest, WhereAHostDiesInTheMiddleOfASessionTheOthersWait) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
  settings.port = listener.local().port;
  open_queue({});
  accept(kHere);
  const auto second = accept(kHere), third = accept(kHere);
  loop.spawn(serve_once(listener, {"220 x.test\r\n", "250 x.test\r\n", "250 ok\r\n", "250 ok\r\n",
                                   "354 go\r\n", "250 taken\r\n"}));
  start();
  ASSERT_TRUE(wait_for([&] { return deliverer->waits(kHere) != nullptr; }));
  EXPECT_EQ(queue->stats().messages, 2U);
  EXPECT_EQ(attempts(second), 1U);
  EXPECT_TRUE(wait_for([&] { return attempts(third) == 1; }));
}

// A notice is due while the message that it is about is still given up, which has the last place.
TEST_F(DelivererTest, WhoGivesUpExpiredMailMakesRoomForWhoWaitsForAConnection) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.2:0").value()).value();
  settings.port = listener.local().port;
  settings.max_connections = 1;
  open_queue({5min, 4h, 60s, 0.0});
  const auto id = accept(kHere, std::string("a@") + kThere);
  start();
  ASSERT_TRUE(wait_for([&] { return attempts(id) == 1; }));
  std::string heard;
  int sessions = 0;
  loop.spawn(
      serve(listener, {"220 x.test\r\n", "250 x.test\r\n", "250 ok\r\n", "250 ok\r\n"}, heard, sessions));
  clock.advance(61s);
  EXPECT_TRUE(wait_for([&] { return sessions > 0; }));
  EXPECT_EQ(queue->stats().messages, 1U);
  listener.close();
}

struct Counted {
  int open = 0, most = 0, taken = 0;
};

io::Task<void> serve_counted(io::Stream stream, Counted& counted) {
  counted.most = std::max(counted.most, ++counted.open);
  stream.set_idle_timeout(5s);
  std::string reply = "220 x.test\r\n";
  for (bool text = false; !reply.empty();) {
    const auto sent = co_await stream.write_all(reply);
    char buffer[4096];
    const auto n = co_await stream.read_some(buffer, sizeof buffer);
    if (!sent || !n || *n == 0) break;
    counted.taken += text ? 1 : 0;
    const std::string heard(buffer, *n);
    const bool data = heard.starts_with("DATA");
    text = data;
    reply = data ? "354 go\r\n" : "250 ok\r\n";
  }
  --counted.open;
}

io::Task<void> accept_counted(io::Listener& listener, io::Loop& loop, Counted& counted) {
  for (;;) {
    auto stream = co_await listener.accept();
    if (!stream) co_return;
    loop.spawn(serve_counted(std::move(*stream), counted));
  }
}

// It was counted as a worker for ever, and the service never stopped.
TEST_F(DelivererTest, WhereGivingUpAMessageBreaksNoWorkerIsLost) {
  settings.port = 1;
  open_queue({5min, 4h, 60s, 0.0});
  const auto id = accept(kHere, std::string("a@") + kThere);
  start();
  ASSERT_TRUE(wait_for([&] { return attempts(id) == 1; }));
  fault = kThere;  // where the bounce goes
  clock.advance(61s);
  ASSERT_TRUE(wait_for([&] { return fault.empty(); }));
  EXPECT_TRUE(wait_for([&] { return deliverer->stopped(); }));
  EXPECT_EQ(queue->stats().messages, 1U) << "the bounce";
}

// Who waits with others for a dead destination was told nothing, unless it was his message that was tried.
TEST_F(DelivererTest, EachIsToldOfTheDelayAndOfTheEndThoughOnlyOneIsTried) {
  settings.port = 1;
  open_queue({24h, 24h, 48h, 0.0});
  const auto tried = accept(kHere, std::string("a@") + kThere);
  start();
  ASSERT_TRUE(wait_for([&] { return attempts(tried) == 1; }));
  std::vector<queue::MessageId> all = {tried};
  for (int i = 0; i < 3; ++i) all.push_back(accept(kHere, std::string("b@") + kThere));
  const auto told = [&](queue::MessageId id) {
    const auto message = queue->find(id).value();
    return message && message->recipients.front().delay_told;
  };
  const auto all_told = [&] {
    clock.advance(1s);
    return std::all_of(all.begin(), all.end(), told);
  };
  const auto before = queue->stats().messages;
  clock.advance(4h);
  ASSERT_TRUE(wait_for(all_told));
  EXPECT_TRUE(wait_for([&] { return queue->stats().messages == before + 4; })) << "a notice for each";
  EXPECT_GE(std::count_if(all.begin(), all.end(), [&](auto id) { return attempts(id) == 0; }), 2);
  // Not told twice, and each given up at its end.
  clock.advance(1h);
  EXPECT_TRUE(wait_for([&] { return deliverer->stopped(); }));
  EXPECT_EQ(queue->stats().messages, before + 4);
  clock.advance(43h);
  EXPECT_TRUE(wait_for([&] {
    clock.advance(1s);
    return std::none_of(all.begin(), all.end(), [&](auto id) { return queue->find(id).value().has_value(); });
  }));
}

TEST_F(DelivererTest, WhoWaitsForALimitIsToldThatHeWaitsAndOfNoFailure) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
  settings.port = listener.local().port;
  open_queue({24h, 24h, 48h, 0.0});
  limit(policy::Rate{1, 3600s}, std::nullopt);
  std::vector<queue::MessageId> all;
  for (int i = 0; i < 6; ++i) all.push_back(accept(kHere, std::string("b@") + kThere));
  Counted counted;
  loop.spawn(accept_counted(listener, loop, counted));
  start();
  ASSERT_TRUE(wait_for([&] { return counted.taken == 1; }));
  clock.advance(4h);
  EXPECT_TRUE(wait_for([&] {
    clock.advance(1s);
    return std::count_if(all.begin(), all.end(), [&](auto id) {
             const auto message = queue->find(id).value();
             return message && message->recipients.front().delay_told;
           }) >= 4;
  }));
  std::string text;
  for (const queue::Message& one : queue->list({}, 100).value()) {
    if (one.reverse_path.empty()) text = queue->body_chunk(one, 0).value();
  }
  EXPECT_NE(text.find("The message waits for its turn."), std::string::npos) << text;
  EXPECT_NE(text.find("waits for the rate"), std::string::npos);
  EXPECT_EQ(text.find("could not"), std::string::npos);
  EXPECT_EQ(text.find("Last-Attempt-Date"), std::string::npos);
  listener.close();
}

// The second who waited had to wait for an idle session's end.
TEST_F(DelivererTest, EachWhoWaitsForAConnectionHasAnIdleOneLeave) {
  std::vector<io::Listener> listeners;
  std::vector<Counted> counted(4);
  for (int i = 0; i < 4; ++i) {
    const std::string at = "127.0.0." + std::to_string(i + 1) + ":" + std::to_string(settings.port * (i > 0));
    listeners.push_back(io::Listener::bind(loop, io::Endpoint::parse(at).value()).value());
    settings.port = listeners.front().local().port;
  }
  settings.max_connections = 2;
  settings.connection_idle = 60s;
  // The third accepts, and says nothing.
  for (const std::size_t i : {0U, 1U, 3U}) loop.spawn(accept_counted(listeners[i], loop, counted[i]));
  open_queue({});
  start();
  accept("[127.0.0.1]");
  accept("[127.0.0.2]");
  ASSERT_TRUE(wait_for([&] { return queue->stats().messages == 0; }));
  accept("[127.0.0.3]");
  accept("[127.0.0.4]");
  EXPECT_TRUE(wait_for([&] { return counted[3].taken == 1; }));
  for (io::Listener& one : listeners) one.close();
}

// It is neither an attempt nor a failure, and holds no worker and no connection.
TEST_F(DelivererTest, WhatALimitKeepsBackIsNotTriedAndWaitsByItself) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
  settings.port = listener.local().port;
  settings.connection_idle = 10ms;
  open_queue({});
  limit(policy::Rate{1, 3600s}, std::nullopt);
  const auto first = accept(kHere), second = accept(kHere), third = accept(kHere);
  Counted counted;
  loop.spawn(accept_counted(listener, loop, counted));
  start();
  ASSERT_TRUE(wait_for([&] { return queue->stats().messages == 2 && deliverer->stopped(); }));
  EXPECT_EQ(deliverer->limited(kHere), "waits for the rate of the rule for domain * ([127.0.0.1]): 1/h");
  EXPECT_EQ(deliverer->waits(kHere), nullptr);
  EXPECT_EQ(attempts(first), 0U);
  EXPECT_EQ(attempts(second) + attempts(third), 0U);
  // An operator's retry ends a pause and breaks no limit.
  deliverer->release(kHere);
  deliverer->release_all();
  accept(kHere);
  EXPECT_TRUE(deliverer->stopped()) << "nobody works for what waits";
  clock.advance(1h);
  EXPECT_TRUE(wait_for([&] { return queue->stats().messages == 2 && deliverer->stopped(); }));
  EXPECT_EQ(counted.taken, 2);
  // Other rules count at once.
  limit(policy::Rate{100, 1s}, std::nullopt);
  EXPECT_TRUE(wait_for([&] { return deliverer->limited(kHere).ends_with(": 100/s"); }));
  clock.advance(1s);
  EXPECT_TRUE(wait_for([&] { return queue->stats().messages == 0; }));
  listener.close();
}

// Two destinations of one domain, each of which would have five.
TEST_F(DelivererTest, ADomainsConnectionsAreSharedByItsDestinationsInTurns) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
  settings.port = listener.local().port;
  open_queue({});
  limit(std::nullopt, 1);
  for (int i = 0; i < 50; ++i) {
    accept(kHere);
    accept(kHere, "a@x.test", {}, queue::TlsWish::waive);
  }
  Counted counted;
  loop.spawn(accept_counted(listener, loop, counted));
  start();
  EXPECT_TRUE(wait_for([&] { return queue->stats().messages == 0; }));
  EXPECT_EQ(counted.taken, 100);
  EXPECT_EQ(counted.most, 1);
  listener.close();
}

// An address of ours that is none says nothing of the host, nor of mail that goes from another.
TEST_F(DelivererTest, ASourceThatCannotBeUsedHoldsUpNothingOfOtherListeners) {
  auto listener = io::Listener::bind(loop, io::Endpoint::parse("127.0.0.1:0").value()).value();
  settings.port = listener.local().port;
  settings.sources["wrong"] = {io::IpAddress::parse("192.0.2.1").value()};
  open_queue({});
  const auto wrong = accept(kHere, "a@x.test", "wrong");
  start();
  ASSERT_TRUE(wait_for([&] { return attempts(wrong) == 1; }));
  EXPECT_EQ(deliverer->waits(kHere), nullptr);
  std::string heard;
  int sessions = 0;
  loop.spawn(serve(listener, {"220 x.test\r\n", "250 x.test\r\n"}, heard, sessions));
  accept(kHere);
  EXPECT_TRUE(wait_for([&] { return sessions > 0; }));
  listener.close();
}

}  // namespace
}  // namespace pinnace::delivery
