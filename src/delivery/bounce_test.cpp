#include "delivery/bounce.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace pinnace::delivery {
namespace {

const base::Time kNow = base::Time(base::Seconds(1'700'000'000));

class BounceTest : public testing::Test {
 protected:
  BounceTest() {
    std::string name = testing::TempDir() + "pinnace_bounce_XXXXXX";
    folder = mkdtemp(name.data());
    db = std::move(store::Database::open(loop, folder, {}).value());
    queue = std::move(queue::Queue::open(loop, *db, clock, {}, [](const std::string&) {}).value());
    settings.hostname = "relay.test";
  }
  ~BounceTest() override {
    loop.drop_tasks();
    queue.reset();
    db.reset();
    std::filesystem::remove_all(folder);
  }
  // Takes a message in, and fails it.
  queue::OwnMessage bounce(queue::TlsWish parameter, queue::BodyFacts facts, const std::string& text) {
    queue::Envelope envelope;
    envelope.reverse_path = "from@sender.test";
    envelope.recipients.emplace_back("a@x.test");
    envelope.tls_wish = parameter;
    bool done = false;
    loop.spawn(take_in(queue->begin(envelope), text, facts, done));
    while (!done) loop.run();
    const queue::Work work = queue->take("x.test").value();
    queue::Outcome failed;
    failed.kind = queue::Outcome::Kind::failed;
    failed.status = "5.7.30";
    return make_bounce(settings, *queue, *work.message, {failed}, false, kNow).value();
  }
  io::Task<void> take_in(queue::Queue::Writer writer, std::string text, queue::BodyFacts facts, bool& done) {
    const auto written = co_await writer.append(text);
    const auto stored = co_await writer.commit(facts);
    EXPECT_TRUE(written && stored);
    done = true;
    loop.stop();
  }

  std::string folder;
  Settings settings;
  base::ManualClock clock{kNow};
  io::Loop loop;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<queue::Queue> queue;
};

// RFC 8689 5
TEST_F(BounceTest, IsProtectedAsItsMessageWas) {
  const struct {
    queue::TlsWish parameter;
    bool header;
    queue::TlsWish wish;
    const char* why;
  } cases[] = {
      {queue::TlsWish::require, false, queue::TlsWish::require, "REQUIRETLS"},
      {queue::TlsWish::require, true, queue::TlsWish::require, "REQUIRETLS, the header is ignored"},
      {queue::TlsWish::none, true, queue::TlsWish::none, "TLS-Required: No is of that message only"},
      {queue::TlsWish::none, false, queue::TlsWish::none, "nothing asked"},
  };
  for (const auto& c : cases) {
    queue::BodyFacts facts;
    facts.tls_required_no = c.header;
    const auto dsn = bounce(c.parameter, facts, "Subject: s\r\n\r\nthe secret\r\n");
    EXPECT_EQ(dsn.envelope.tls_wish, c.wish) << c.why;
    EXPECT_EQ(dsn.envelope.reverse_path, "") << c.why;
    ASSERT_EQ(dsn.envelope.recipients.size(), 1U);
    EXPECT_EQ(dsn.envelope.recipients[0].address, "from@sender.test");
    EXPECT_THAT(dsn.text, testing::HasSubstr("Subject: s\r\n")) << c.why;
    EXPECT_THAT(dsn.text, testing::Not(testing::HasSubstr("the secret"))) << c.why << ": headers only";
  }
}

}  // namespace
}  // namespace pinnace::delivery
