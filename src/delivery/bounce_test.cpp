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
    envelope.ret = ret;
    bool done = false;
    loop.spawn(take_in(queue->begin(envelope), text, facts, done));
    while (!done) loop.run();
    const queue::Work work = queue->take(queue->due_destinations().at(0)).value();
    queue::Outcome failed;
    failed.kind = queue::Outcome::Kind::failed;
    failed.status = status;
    std::vector<queue::Outcome> outcomes = {failed};
    return make_notice(settings, *queue, *work.message, outcomes, false, kNow).value();
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
  names::Return ret = names::Return::unset;
  std::string status = "5.7.30";
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

// RFC 3461 6.2, RFC 8689 5, pinning-protocol 6
TEST_F(BounceTest, GivesBackWhatWasAskedAndMayBe) {
  using names::Return;
  using queue::TlsWish;
  const std::string small = "Subject: s\r\n\r\nthe secret\r\n";
  const struct {
    Return ret;
    TlsWish wish;
    const char* status;
    std::string text;
    bool binary, whole;
    const char* why;
  } cases[] = {
      {Return::unset, TlsWish::none, "5.1.1", small, false, false, "nothing asked"},
      {Return::headers, TlsWish::none, "5.1.1", small, false, false, "HDRS"},
      {Return::full, TlsWish::none, "5.1.1", small, false, true, "FULL"},
      {Return::full, TlsWish::require, "5.1.1", small, false, false, "REQUIRETLS"},
      {Return::full, TlsWish::none, "4.7.5", small, false, false, "held back to protect it"},
      {Return::full, TlsWish::none, "5.1.1", small + std::string(50'000, 'x') + "\r\n", false, false,
       "too large"},
      {Return::full, TlsWish::none, "5.1.1", small + std::string(999, 'x') + "\r\n", false, false,
       "a line too long"},
      {Return::full, TlsWish::none, "5.1.1", small + "a\rb\r\n", true, false, "binary"},
      {Return::full, TlsWish::none, "5.1.1", small + "a\rb\r\n", false, false, "a bare CR"},
      {Return::full, TlsWish::none, "5.1.1", small + "last", false, true, "no line end at the end"},
  };
  for (const auto& c : cases) {
    ret = c.ret;
    status = c.status;
    queue::BodyFacts facts;
    facts.binary = c.binary;
    const auto dsn = bounce(c.wish, facts, c.text);
    EXPECT_EQ(dsn.text.find("the secret") != std::string::npos, c.whole) << c.why;
    EXPECT_EQ(dsn.text.find("message/rfc822") != std::string::npos, c.whole) << c.why;
    EXPECT_THAT(dsn.text, testing::HasSubstr("Subject: s\r\n")) << c.why;
    EXPECT_EQ(dsn.envelope.ret, Return::unset) << "RFC 3461 6.1: no RET with a notice";
  }
}

// RFC 3461 5.2, 4.1: each NOTIFY, each fate.
TEST(ToTell, ByWhatWasAskedAndWhatBecameOfIt) {
  using mime::Action;
  using names::Notify;
  using Kind = queue::Outcome::Kind;
  using Onward = queue::Outcome::Onward;
  constexpr std::optional<Action> kNone;
  const struct {
    std::uint8_t notify;
    std::optional<Action> told, untold, mailbox, failed, delayed;
    const char* why;
  } cases[] = {
      {0, kNone, kNone, kNone, Action::failed, Action::delayed, "nothing said"},
      {Notify::kNever, kNone, kNone, kNone, kNone, kNone, "NEVER"},
      {Notify::kSuccess, kNone, Action::relayed, Action::delivered, kNone, kNone, "SUCCESS"},
      {Notify::kFailure, kNone, kNone, kNone, Action::failed, kNone, "FAILURE"},
      {Notify::kDelay, kNone, kNone, kNone, kNone, Action::delayed, "DELAY"},
      {Notify::kSuccess | Notify::kFailure, kNone, Action::relayed, Action::delivered, Action::failed, kNone,
       "SUCCESS,FAILURE"},
      {Notify::kSuccess | Notify::kDelay, kNone, Action::relayed, Action::delivered, kNone, Action::delayed,
       "SUCCESS,DELAY"},
      {Notify::kFailure | Notify::kDelay, kNone, kNone, kNone, Action::failed, Action::delayed,
       "FAILURE,DELAY"},
      {Notify::kSuccess | Notify::kFailure | Notify::kDelay, kNone, Action::relayed, Action::delivered,
       Action::failed, Action::delayed, "all"},
  };
  Settings settings;
  for (const auto& c : cases) {
    for (const bool null_sender : {false, true}) {
      queue::Message m;
      m.reverse_path = null_sender ? "" : "from@sender.test";
      m.arrived = kNow;
      m.recipients.resize(1);
      m.recipients[0].notify.bits = c.notify;
      const auto tell = [&](Kind kind, Onward onward, base::Milliseconds after) {
        queue::Outcome o;
        o.kind = kind;
        o.onward = onward;
        return to_tell(settings, m, o, kNow + after);
      };
      const auto expect = [&](std::optional<Action> action) { return null_sender ? kNone : action; };
      const base::Milliseconds late = settings.delay_notice;
      EXPECT_EQ(tell(Kind::delivered, Onward::told, late), expect(c.told)) << c.why;
      EXPECT_EQ(tell(Kind::delivered, Onward::untold, late), expect(c.untold)) << c.why;
      EXPECT_EQ(tell(Kind::delivered, Onward::mailbox, late), expect(c.mailbox)) << c.why;
      EXPECT_EQ(tell(Kind::failed, Onward::untold, late), expect(c.failed)) << c.why;
      EXPECT_EQ(tell(Kind::deferred, Onward::untold, late), expect(c.delayed)) << c.why;
      EXPECT_EQ(tell(Kind::deferred, Onward::untold, late - base::Milliseconds(1)), kNone) << "not yet";
      m.recipients[0].delay_told = true;
      EXPECT_EQ(tell(Kind::deferred, Onward::untold, late), kNone) << "once only";
    }
  }
  queue::Message m;
  m.reverse_path = "from@sender.test";
  m.recipients.resize(1);
  settings.delay_notice = base::Seconds(0);
  EXPECT_EQ(to_tell(settings, m, {}, kNow), kNone) << "switched off";
}

}  // namespace
}  // namespace pinnace::delivery
