#include "queue/queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <set>

namespace pinnace::queue {
namespace {

using namespace std::chrono_literals;

const base::Time kStart = base::Time(base::Seconds(1'700'000'000));

// A store and queue in a folder of their own, on a clock that the test moves.
struct Fixture {
  explicit Fixture(std::string folder) : path(std::move(folder)) { start(); }
  ~Fixture() { stop(); }
  void start() {
    loop = std::make_unique<io::Loop>();
    db = std::move(store::Database::open(*loop, path, {}).value());
    queue = std::move(Queue::open(*loop, *db, clock, settings, [](const std::string&) {}).value());
  }
  void stop() {
    loop->drop_tasks();
    queue.reset();
    db.reset();
    loop.reset();
  }
  void restart() {
    stop();
    start();
  }
  template <class T>
  T run(io::Task<T> task) {
    std::optional<T> out;
    loop->spawn(keep(std::move(task), out, *loop));
    while (!out) loop->run();
    return std::move(*out);
  }
  template <class T>
  static io::Task<void> keep(io::Task<T> task, std::optional<T>& out, io::Loop& loop) {
    out.emplace(co_await task);
    loop.stop();
  }
  MessageId accept(std::vector<std::string> recipients, std::string body) {
    Envelope envelope;
    envelope.reverse_path = "from@sender.test";
    envelope.recipients.assign(recipients.begin(), recipients.end());
    Queue::Writer writer = queue->begin(envelope);
    EXPECT_TRUE(run(writer.append(body)));
    return run(writer.commit({})).value();
  }
  std::string body(const Message& message) {
    std::string out;
    for (std::uint32_t n = 0; n < message.chunks; ++n) out += queue->body_chunk(message, n).value();
    return out;
  }

  std::string path;
  base::ManualClock clock{kStart};
  ScheduleSettings settings{5min, 4h, std::chrono::days(5), 0.0};
  std::unique_ptr<io::Loop> loop;
  std::unique_ptr<store::Database> db;
  std::unique_ptr<Queue> queue;
};

class QueueTest : public testing::Test {
 protected:
  QueueTest() {
    std::string name = testing::TempDir() + "pinnace_queue_XXXXXX";
    folder = mkdtemp(name.data());
    f = std::make_unique<Fixture>(folder);
  }
  ~QueueTest() override {
    f.reset();
    std::filesystem::remove_all(folder);
  }
  std::string folder;
  std::unique_ptr<Fixture> f;
};

Outcome outcome(std::size_t recipient, Outcome::Kind kind) {
  Outcome o;
  o.recipient = recipient;
  o.kind = kind;
  o.status = "4.7.5";
  o.reason = "the key does not match";
  return o;
}

TEST_F(QueueTest, AcceptedSurvivesARestartAndIsDueAgain) {
  const MessageId id = f->accept({"a@x.test", "b@y.test"}, "body\r\n");
  ASSERT_TRUE(f->queue->take("x.test"));  // taken, never recorded: the process dies here
  f->restart();
  const auto work = f->queue->take("x.test");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message->id, id);
  EXPECT_EQ(f->body(*work->message), "body\r\n");
  EXPECT_THAT(work->recipients, testing::ElementsAre(0U));
  EXPECT_TRUE(f->queue->take("y.test"));
}

TEST_F(QueueTest, WorkIsHandedOutOnce) {
  f->accept({"a@x.test"}, "body\r\n");
  EXPECT_TRUE(f->queue->take("x.test"));
  EXPECT_FALSE(f->queue->take("x.test"));
}

TEST_F(QueueTest, DeliveredIsGoneForEver) {
  const MessageId id = f->accept({"a@x.test"}, "body\r\n");
  ASSERT_TRUE(
      f->run(f->queue->record(*f->queue->take("x.test"), {outcome(0, Outcome::Kind::delivered)}, {})));
  EXPECT_EQ(f->queue->find(id).value(), std::nullopt);
  f->restart();
  EXPECT_EQ(f->queue->stats().messages, 0U);
}

TEST_F(QueueTest, OneDeliveredOneDeferredKeepsOnlyTheDeferredOne) {
  f->accept({"a@x.test", "b@x.test"}, "body\r\n");
  auto work = f->queue->take("x.test");
  ASSERT_TRUE(f->run(f->queue->record(
      *work, {outcome(0, Outcome::Kind::delivered), outcome(1, Outcome::Kind::deferred)}, {})));
  f->restart();
  EXPECT_FALSE(f->queue->take("x.test")) << "not due yet";
  f->clock.advance(5min);
  f->queue->poll();
  work = f->queue->take("x.test");
  ASSERT_TRUE(work);
  EXPECT_THAT(work->recipients, testing::ElementsAre(1U));
  EXPECT_EQ(work->message->recipients[1].status, "4.7.5");
  EXPECT_EQ(work->message->recipients[1].attempts, 1U);
}

TEST_F(QueueTest, DsnIsStoredWithTheEndOfItsCause) {
  f->accept({"a@x.test"}, "body\r\n");
  OwnMessage dsn;
  dsn.envelope.recipients.emplace_back("from@sender.test");
  dsn.text = "it failed\r\n";
  ASSERT_TRUE(f->run(f->queue->record(*f->queue->take("x.test"), {outcome(0, Outcome::Kind::failed)}, dsn)));
  f->restart();
  EXPECT_FALSE(f->queue->take("x.test"));
  const auto work = f->queue->take("sender.test");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message->reverse_path, "");
  EXPECT_EQ(f->body(*work->message), "it failed\r\n");
}

// RFC 8689 4.1: the parameter wins over the header field.
TEST_F(QueueTest, TheWishAboutTlsIsKept) {
  const struct {
    TlsWish parameter;
    bool header;
    TlsWish kept;
  } cases[] = {
      {TlsWish::none, false, TlsWish::none},
      {TlsWish::none, true, TlsWish::waive},
      {TlsWish::require, false, TlsWish::require},
      {TlsWish::require, true, TlsWish::require},
  };
  for (const auto& c : cases) {
    Envelope envelope;
    envelope.recipients.emplace_back("a@x.test");
    envelope.tls_wish = c.parameter;
    Queue::Writer writer = f->queue->begin(envelope);
    ASSERT_TRUE(f->run(writer.append("body\r\n")));
    BodyFacts facts;
    facts.tls_required_no = c.header;
    const MessageId id = f->run(writer.commit(facts)).value();
    EXPECT_EQ(f->queue->find(id).value()->tls_wish, c.kept);
    f->restart();
    EXPECT_EQ(f->queue->find(id).value()->tls_wish, c.kept) << "after a restart";
  }
}

// RFC 8689 5
TEST_F(QueueTest, ADsnKeepsItsWishAboutTls) {
  f->accept({"a@x.test"}, "body\r\n");
  OwnMessage dsn;
  dsn.envelope.recipients.emplace_back("from@sender.test");
  dsn.envelope.tls_wish = TlsWish::require;
  dsn.text = "it failed\r\n";
  ASSERT_TRUE(f->run(f->queue->record(*f->queue->take("x.test"), {outcome(0, Outcome::Kind::failed)}, dsn)));
  f->restart();
  const auto work = f->queue->take("sender.test requiretls bounce");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->domain, "sender.test");
  EXPECT_EQ(work->message->tls_wish, TlsWish::require);
}

TEST_F(QueueTest, ThePolicyOfTheLastAttemptIsKept) {
  const MessageId id = f->accept({"a@x.test"}, "body\r\n");
  const struct {
    std::string policy;
    std::string kept;
  } cases[] = {
      {"DANE must pass", "DANE must pass"},
      {std::string(5000, 'x'), std::string(Recipient::kMaxText, 'x')},
      {"", ""},
  };
  for (const auto& c : cases) {
    Outcome o = outcome(0, Outcome::Kind::deferred);
    o.policy = c.policy;
    ASSERT_TRUE(f->queue->retry(id).value());
    ASSERT_TRUE(f->run(f->queue->record(*f->queue->take("x.test"), {o}, {})));
    EXPECT_EQ(f->queue->find(id).value()->recipients[0].policy, c.kept);
    f->restart();
    EXPECT_EQ(f->queue->find(id).value()->recipients[0].policy, c.kept) << "after a restart";
  }
}

int count_rows(store::Database& db, store::Table table, std::string_view prefix) {
  int rows = 0;
  EXPECT_TRUE(db.scan(table, prefix, [&rows](std::string_view, std::string_view) {
    ++rows;
    return true;
  }));
  return rows;
}

TEST_F(QueueTest, BrokenOffLargeMessageLeavesNoRows) {
  {
    Envelope envelope;
    envelope.recipients.emplace_back("a@x.test");
    Queue::Writer writer = f->queue->begin(envelope);
    ASSERT_TRUE(f->run(writer.append(std::string(300'000, 'x'))));
    EXPECT_GT(count_rows(*f->db, store::Table::bodies, ""), 1);
  }
  f->accept({"z@z.test"}, "x\r\n");  // commits come in order: the clearing came before
  EXPECT_EQ(count_rows(*f->db, store::Table::bodies, ""), 1);
  EXPECT_EQ(count_rows(*f->db, store::Table::meta, "receiving/"), 0);
}

io::Task<base::Result<>> put_rows_of_a_killed_process(store::Database& db) {
  store::Batch batch = db.batch();
  const std::string id = MessageId{77}.key();
  batch.put(store::Table::meta, "receiving/" + id, "");
  batch.put(store::Table::bodies, id + std::string(4, '\0'), "half a message");
  co_return co_await db.commit(std::move(batch), store::Durability::buffered);
}

TEST_F(QueueTest, RowsOfAKilledProcessAreClearedAtTheNextStart) {
  ASSERT_TRUE(f->run(put_rows_of_a_killed_process(*f->db)));
  f->restart();
  f->accept({"z@z.test"}, "x\r\n");
  EXPECT_EQ(count_rows(*f->db, store::Table::bodies, ""), 1);
  EXPECT_EQ(count_rows(*f->db, store::Table::meta, "receiving/"), 0);
}

TEST_F(QueueTest, LargeBodyComesBackWhole) {
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += "line " + std::to_string(i) + "\r\n";
  const MessageId id = f->accept({"a@x.test"}, body);
  f->restart();
  const Message message = f->queue->find(id).value().value();
  EXPECT_EQ(message.size, body.size());
  EXPECT_GT(message.chunks, 5U);
  EXPECT_EQ(f->body(message), body);
}

TEST_F(QueueTest, RemoveAndRetryByOperator) {
  const MessageId id = f->accept({"a@x.test"}, "body\r\n");
  auto work = f->queue->take("x.test");
  EXPECT_EQ(f->run(f->queue->remove(id)).error().code, "queue.busy");
  ASSERT_TRUE(f->run(f->queue->record(*work, {outcome(0, Outcome::Kind::deferred)}, {})));
  EXPECT_FALSE(f->queue->take("x.test"));
  EXPECT_TRUE(f->queue->retry(id).value());
  work = f->queue->take("x.test");
  ASSERT_TRUE(work) << "retry makes it due at once";
  f->queue->give_back(*work);
  EXPECT_TRUE(f->run(f->queue->remove(id)).value());
  EXPECT_FALSE(f->run(f->queue->remove(id)).value());
  EXPECT_FALSE(f->queue->retry(id).value());
  EXPECT_FALSE(f->queue->take("x.test"));
}

io::Task<base::Result<Operated>> operate(Queue& queue, Operation operation, MessageId id) {
  std::vector<MessageId> ids{id};
  co_return co_await queue.operate(operation, std::move(ids));
}

TEST_F(QueueTest, WhatIsHeldIsNotTriedUntilItIsReleasedEvenAfterARestart) {
  using Kind = Operation::Kind;
  const MessageId id = f->accept({"a@x.test", "b@y.test"}, "body\r\n");
  auto under_way = f->queue->take("y.test");
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::hold}, id)).value().changed.size(), 1U);
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::hold}, id)).value().changed.size(), 0U) << "it is held";
  EXPECT_FALSE(f->queue->take("x.test"));
  ASSERT_TRUE(f->run(f->queue->record(*under_way, {outcome(1, Outcome::Kind::deferred)}, {})));
  EXPECT_TRUE(f->queue->find(id).value()->held) << "the delivery that was under way did not undo it";
  f->restart();
  f->clock.advance(1h);
  f->queue->poll();
  EXPECT_FALSE(f->queue->take("x.test"));
  EXPECT_FALSE(f->queue->take("y.test"));
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::release}, id)).value().changed.size(), 1U);
  EXPECT_TRUE(f->queue->take("x.test"));
  EXPECT_TRUE(f->queue->take("y.test"));
}

// What came due stays so; what is put off then waits by the clock as it is now, and not for nothing.
TEST_F(QueueTest, WhereTheClockIsSetBackWhatIsPutOffWaitsItsPause) {
  f->clock.advance(2h);
  f->accept({"a@x.test"}, "body\r\n");
  f->clock.set(kStart);
  auto work = f->queue->take("x.test");
  ASSERT_TRUE(work);
  ASSERT_TRUE(f->run(f->queue->record(*work, {outcome(0, Outcome::Kind::deferred)}, {})));
  EXPECT_FALSE(f->queue->take("x.test"));
  f->queue->poll();
  EXPECT_FALSE(f->queue->take("x.test"));
  f->clock.advance(5min + 1s);
  f->queue->poll();
  EXPECT_TRUE(f->queue->take("x.test"));
}

// A thousand messages of a list, each to a thousand, are more than may be in memory at once.
TEST_F(QueueTest, WhatIsHeldIsNotRetriedAndIsCounted) {
  const MessageId held = f->accept({"a@x.test"}, "body\r\n");
  f->accept({"a@x.test"}, "body\r\n");
  const auto hold = [&](Operation::Kind kind) { return f->run(f->queue->operate({kind}, {held})); };
  ASSERT_TRUE(hold(Operation::Kind::hold));
  EXPECT_EQ(f->queue->stats().held, 1U);
  EXPECT_FALSE(f->queue->retry(held).value());
  f->restart();
  EXPECT_EQ(f->queue->stats().held, 1U);
  ASSERT_TRUE(hold(Operation::Kind::release));
  EXPECT_EQ(f->queue->stats().held, 0U);
  EXPECT_TRUE(f->queue->retry(held).value());
  ASSERT_TRUE(hold(Operation::Kind::hold));
  ASSERT_TRUE(hold(Operation::Kind::remove));
  EXPECT_EQ(f->queue->stats().held, 0U);
}

TEST_F(QueueTest, WhatIsHereForLongIsNamedOnceAndKeepsItsPlaceWhileItIsBorrowed) {
  const MessageId first = f->accept({"a@x.test"}, "body\r\n");
  f->clock.advance(1h);
  const MessageId second = f->accept({"a@x.test"}, "body\r\n");
  f->clock.advance(3h);
  auto aged = f->queue->aged("x.test", 4h);
  EXPECT_THAT(aged.ids, testing::ElementsAre(first));
  EXPECT_EQ(aged.next, kStart + 5h);
  EXPECT_TRUE(f->queue->aged("x.test", 4h).ids.empty());
  auto work = f->queue->borrow(first, "x.test");
  ASSERT_TRUE(work);
  EXPECT_FALSE(f->queue->borrow(first, "x.test"));
  EXPECT_EQ(f->queue->stats().due, 2U);
  Outcome told = outcome(0, Outcome::Kind::waiting);
  told.delay_told = true;
  ASSERT_TRUE(f->run(f->queue->record(*work, {told}, std::nullopt)));
  EXPECT_EQ(f->queue->stats().due, 2U) << "neither lost nor twice";
  const auto kept = f->queue->find(first).value();
  EXPECT_TRUE(kept->recipients[0].delay_told);
  EXPECT_EQ(kept->recipients[0].attempts, 0U);
  EXPECT_EQ(kept->recipients[0].next_attempt, kStart);
  // Its turn comes while it is borrowed: it is passed by, and comes again.
  work = f->queue->borrow(first, "x.test");
  ASSERT_TRUE(work);
  const auto taken = f->queue->take("x.test");
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->message->id, second);
  f->queue->give_back(*work);
  EXPECT_EQ(f->queue->stats().due, 1U);
  EXPECT_EQ(f->queue->take("x.test")->message->id, first);
}

// With a hash without a key one could look for an address that has another's turns.
TEST_F(QueueTest, WhoseTurnItIsHangsOnTheStoresKey) {
  Message message;
  const auto sender = [&](const base::SipKey& key, const char* path) {
    message.reverse_path = path;
    return Summary::of(message, key).sender;
  };
  EXPECT_EQ(sender({1, 2}, "ann@x.test"), sender({1, 2}, "ann+list@x.test"));
  EXPECT_NE(sender({1, 2}, "ann@x.test"), sender({1, 3}, "ann@x.test"));
  EXPECT_NE(sender({1, 2}, "ann@x.test"), sender({1, 2}, "bob@x.test"));
  const auto key = [&] { return f->db->get(store::Table::meta, "turn_key").value().value_or(""); };
  const std::string first = key();
  EXPECT_EQ(first.size(), 16U);
  f->restart();
  EXPECT_EQ(key(), first) << "as the hashes in the schedule";
}

TEST_F(QueueTest, AListEndsWhereItsRecipientsAreMany) {
  const std::vector<std::string> many(Queue::kListedRecipients / 2, "a@x.test");
  std::vector<MessageId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(f->accept(many, "body\r\n"));
  const auto first = f->queue->list({}, 1000).value();
  ASSERT_EQ(first.size(), 2U);
  const auto rest = f->queue->list(first.back().id, 1000).value();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest.front().id, ids.back());
}

TEST_F(QueueTest, RequeuedItIsAsIfItHadJustCome) {
  using Kind = Operation::Kind;
  const MessageId id = f->accept({"a@x.test"}, "body\r\n");
  auto work = f->queue->take("x.test");
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::requeue}, id)).value().busy.size(), 1U);
  ASSERT_TRUE(f->run(f->queue->record(*work, {outcome(0, Outcome::Kind::deferred)}, {})));
  EXPECT_FALSE(f->queue->take("x.test"));
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::requeue}, id)).value().changed.size(), 1U);
  f->restart();
  work = f->queue->take("x.test");
  ASSERT_TRUE(work);
  EXPECT_EQ(work->message->recipients[0].attempts, 0U);
  EXPECT_EQ(work->message->arrived, kStart);
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::priority, Priority::low}, id)).value().changed.size(), 1U);
  EXPECT_EQ(f->queue->find(id).value()->priority, Priority::low);
  EXPECT_EQ(f->run(operate(*f->queue, {Kind::remove}, MessageId{77})).value().changed.size(), 0U);
}

TEST_F(QueueTest, LifetimeIsOverAfterFiveDays) {
  f->accept({"a@x.test"}, "body\r\n");
  const auto work = f->queue->take("x.test");
  f->clock.advance(std::chrono::days(5) - 1s);
  EXPECT_FALSE(f->queue->expired(*work->message));
  f->clock.advance(1s);
  EXPECT_TRUE(f->queue->expired(*work->message));
}

io::Task<base::Result<>> forget_schedule(store::Database& db) {
  store::Batch batch = db.batch();
  batch.erase_range(store::Table::schedule, "", std::string(9, '\xff'));
  batch.erase(store::Table::meta, "summarized");
  co_return co_await db.commit(std::move(batch), store::Durability::synced);
}

TEST_F(QueueTest, AStoreOfBeforeTheScheduleIsBroughtUpToDate) {
  const MessageId first = f->accept({"a@x.test", "b@y.test"}, "body\r\n");
  const MessageId second = f->accept({"c@x.test"}, "body\r\n");
  auto work = f->queue->take("x.test");
  ASSERT_TRUE(f->run(f->queue->record(*work, {outcome(0, Outcome::Kind::deferred)}, {})));
  ASSERT_TRUE(f->run(forget_schedule(*f->db)));
  f->restart();
  EXPECT_EQ(f->queue->stats().messages, 2U);
  EXPECT_EQ(f->queue->take("x.test")->message->id, second);
  EXPECT_FALSE(f->queue->take("x.test")) << "the first is not due there yet";
  EXPECT_EQ(f->queue->take("y.test")->message->id, first);
  EXPECT_EQ(count_rows(*f->db, store::Table::schedule, ""), 2);
}

TEST_F(QueueTest, TheScheduleHasARowForEachMessageAndNoOther) {
  const MessageId removed = f->accept({"a@x.test"}, "body\r\n");
  f->accept({"b@x.test"}, "body\r\n");
  EXPECT_EQ(count_rows(*f->db, store::Table::schedule, ""), 2);
  EXPECT_TRUE(f->run(f->queue->remove(removed)).value());
  EXPECT_EQ(count_rows(*f->db, store::Table::schedule, ""), 1);
  ASSERT_TRUE(
      f->run(f->queue->record(*f->queue->take("x.test"), {outcome(0, Outcome::Kind::delivered)}, {})));
  EXPECT_EQ(count_rows(*f->db, store::Table::schedule, ""), 0);
}

// The queue as a list that is looked through each time.
struct NaiveQueue {
  struct To {
    std::string domain;
    bool waiting = true;
    std::uint32_t attempts = 0;
    base::Time next;
  };
  std::map<std::uint64_t, std::vector<To>> messages;
  std::map<std::pair<std::uint64_t, std::string>, Work> leased;
  std::set<std::pair<std::uint64_t, std::string>> forced;

  bool is_due(std::uint64_t id, const std::string& domain, base::Time now) const {
    if (leased.contains({id, domain})) return false;
    const auto& all = messages.at(id);
    return std::any_of(all.begin(), all.end(), [&](const To& to) {
      return to.waiting && to.domain == domain && (to.next <= now || forced.contains({id, domain}));
    });
  }
  std::size_t due(const std::string& domain, base::Time now) const {
    return static_cast<std::size_t>(std::count_if(
        messages.begin(), messages.end(), [&](const auto& m) { return is_due(m.first, domain, now); }));
  }
};

TEST_F(QueueTest, AgreesWithANaiveModelAcrossRestarts) {
  const unsigned seed = 20261124;
  std::mt19937 random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::string domains[] = {"x.test", "y.test", "z.test"};
  NaiveQueue model;
  int restarts = 0, taken = 0;
  for (int step = 0; step < 1500; ++step) {
    SCOPED_TRACE(step);
    const base::Time now = f->clock.now();
    switch (pick(12)) {
      case 0:
      case 1:
      case 2: {
        std::vector<std::string> to;
        std::vector<NaiveQueue::To> kept;
        for (std::size_t i = 0; i <= pick(3); ++i) {
          kept.push_back({domains[pick(3)], true, 0, now});
          to.push_back("u" + std::to_string(i) + "@" + kept.back().domain);
        }
        model.messages[f->accept(to, "body\r\n").value] = kept;
        break;
      }
      case 3:
        f->clock.advance(base::Seconds(60 * (1 + pick(20))));
        while (f->queue->poll()) continue;
        break;
      case 4:
      case 5:
      case 6: {
        const std::string& domain = domains[pick(3)];
        const auto work = f->queue->take(domain);
        ASSERT_EQ(work.has_value(), model.due(domain, now) > 0) << domain;
        if (!work) break;
        ++taken;
        ASSERT_TRUE(model.is_due(work->message->id.value, domain, now));
        model.forced.erase({work->message->id.value, domain});
        model.leased.emplace(std::pair{work->message->id.value, domain}, *work);
        break;
      }
      case 7:
      case 8: {
        if (model.leased.empty()) break;
        const auto one = model.leased.begin();
        std::vector<Outcome> outcomes;
        auto& all = model.messages.at(one->first.first);
        for (const std::size_t i : one->second.recipients) {
          NaiveQueue::To& to = all.at(i);
          ASSERT_TRUE(to.waiting && to.domain == one->first.second);
          const bool deferred = pick(2) == 0;
          outcomes.push_back(outcome(i, deferred ? Outcome::Kind::deferred : Outcome::Kind::delivered));
          to.waiting = deferred;
          to.next = now + retry_pause(++to.attempts, f->settings, 0.5);
        }
        ASSERT_TRUE(f->run(f->queue->record(one->second, outcomes, {})));
        if (std::none_of(all.begin(), all.end(), [](const auto& to) { return to.waiting; }))
          model.messages.erase(one->first.first);
        model.leased.erase(one);
        break;
      }
      case 9: {
        if (model.messages.empty()) break;
        auto one = std::next(model.messages.begin(), static_cast<long>(pick(model.messages.size())));
        ASSERT_TRUE(f->queue->retry(MessageId{one->first}).value());
        for (const auto& to : one->second) {
          if (to.waiting && !model.leased.contains({one->first, to.domain}))
            model.forced.insert({one->first, to.domain});
        }
        break;
      }
      case 10: {
        if (model.messages.empty()) break;
        auto one = std::next(model.messages.begin(), static_cast<long>(pick(model.messages.size())));
        const bool busy = std::any_of(std::begin(domains), std::end(domains),
                                      [&](const auto& d) { return model.leased.contains({one->first, d}); });
        const auto removed = f->run(f->queue->remove(MessageId{one->first}));
        ASSERT_EQ(removed.has_value(), !busy);
        if (!busy) model.messages.erase(one);
        break;
      }
      default:
        if (pick(10) > 0) break;
        ++restarts;
        f->restart();
        model.leased.clear();
        model.forced.clear();
    }
    ASSERT_EQ(f->queue->stats().messages, model.messages.size());
  }
  EXPECT_GT(restarts, 5);
  EXPECT_GT(taken, 100);
}

TEST(Schedule, DoublesUpToTheMostAndVaries) {
  const ScheduleSettings s;
  const struct {
    std::uint32_t attempts;
    double random;
    base::Milliseconds pause;
  } cases[] = {
      {1, 0.5, 5min}, {2, 0.5, 10min},      {3, 0.5, 20min}, {6, 0.5, 160min},
      {7, 0.5, 4h},   {4'000'000, 0.5, 4h}, {1, 0.0, 4min},  {7, 0.0, 192min},
  };
  for (const auto& c : cases) EXPECT_EQ(retry_pause(c.attempts, s, c.random), c.pause) << c.attempts;
}

}  // namespace
}  // namespace pinnace::queue
