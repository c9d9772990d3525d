#include "discovery/sts_policies.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "dns/name_server_fixture.hpp"
#include "http/https_server_fixture.hpp"

namespace pinnace::discovery {
namespace {

using namespace std::chrono_literals;
using dns::fixture::NameServer;
using http::testing_server::ok;
using http::testing_server::Script;
using http::testing_server::Server;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace certificates = http::testing_server::certificates;

std::string txt_rdata(const std::string& text) { return static_cast<char>(text.size()) + text; }

TEST(TxtFrom, NoneFailureAndBogusAreThree) {
  using Kind = sts::TxtSeen::Kind;
  dns::Answer a;
  EXPECT_EQ(txt_from(a, "x.test").kind, Kind::failure);
  a.security = dns::Security::bogus;
  EXPECT_EQ(txt_from(a, "x.test").kind, Kind::bogus);
  a.security = dns::Security::insecure;
  for (const auto kind : {dns::Answer::Kind::no_data, dns::Answer::Kind::no_domain}) {
    a.kind = kind;
    EXPECT_EQ(txt_from(a, "x.test").kind, Kind::none);
  }
  a.kind = dns::Answer::Kind::records;
  a.rdata = {
      std::string("\x0av=STSv1; i\x04"
                  "d=1;")};
  EXPECT_EQ(txt_from(a, "x.test").kind, Kind::record) << "RFC 8461 3.1: strings are joined";
  EXPECT_EQ(txt_from(a, "x.test").id, "1");
  a.rdata.push_back(txt_rdata("v=spf1 -all"));
  EXPECT_EQ(txt_from(a, "x.test").id, "1");
  a.rdata.push_back(txt_rdata("v=STSv1; id=2;"));
  EXPECT_EQ(txt_from(a, "x.test").kind, Kind::none) << "RFC 8461 3.1: exactly one";
  a.rdata = {"\x50v=STSv1; id=1;"};
  EXPECT_EQ(txt_from(a, "x.test").kind, Kind::none) << "cut short";
}

std::string policy(const std::string& mode, const std::string& max_age = "604800") {
  return "version: STSv1\nmode: " + mode + "\nmx: mx.x.test\nmax_age: " + max_age + "\n";
}

const certificates::Certificate& root() {
  static const certificates::Certificate kRoot = certificates::make({"Root", "", true});
  return kRoot;
}

// x.test with its name server and its policy host, and a sender.
struct World {
  explicit World(store::Database* db = nullptr, const std::string& san = "DNS:mta-sts.x.test") {
    start(db, san);
  }
  ~World() { loop.drop_tasks(); }

  void start(store::Database* db, const std::string& san) {
    std::signal(SIGPIPE, SIG_IGN);
    server = std::make_unique<Server>(loop, certificates::make({"", san}, &root()),
                                      [this](const std::string&) { return served; });
    dns::Settings settings;
    settings.stubs = {{"test.", "127.0.0.1@" + std::to_string(names.port())}};
    settings.trust_anchor_file = testing::TempDir() + "pinnace_other_anchor";
    std::ofstream(settings.trust_anchor_file)
        << "signed.invalid. IN DS 20326 8 2 "
           "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
    resolver = std::move(*dns::Resolver::create(loop, settings));
    http::Settings limits;
    limits.port = server->port();
    limits.allowed = {io::Network::parse("127.0.0.1").value()};
    limits.timeout = 5s;
    fetcher = std::make_unique<http::Fetcher>(loop, certificates::roots_of(root()), limits);
    policies = std::make_unique<StsPolicies>(loop, *resolver, db, clock, *fetcher);
    names.set("mta-sts.x.test", dns::Type::a, std::string("\x7f\0\0\x01", 4));
    publish("1", policy("enforce"));
  }

  void publish(const std::string& id, const std::string& body) {
    names.set("_mta-sts.x.test", dns::Type::txt, txt_rdata("v=STSv1; id=" + id + ";"));
    served = {ok(body)};
  }
  void take_txt_away() { names.erase("_mta-sts.x.test", dns::Type::txt); }
  std::size_t fetches() const { return server->heads().size(); }

  std::vector<StsFound> find_many(int count) {
    std::vector<StsFound> out;
    for (int i = 0; i < count; ++i) loop.spawn(find_into(*policies, domain, out, count, loop));
    if (std::cmp_less(out.size(), count)) loop.run();
    return out;
  }
  StsFound find() { return find_many(1)[0]; }
  void check_again() {
    bool done = false;
    loop.spawn(check_into(*policies, domain, done, loop));
    if (!done) loop.run();
  }
  // As a sender meets it: asked for anew, then told.
  StsFound look_again() {
    check_again();
    return find();
  }
  bool forget() {
    base::Result<> done = base::fail("test", "");
    loop.spawn(forget_into(*policies, done, loop));
    if (!done) loop.run();
    return done.has_value();
  }
  void run_until_fetched(std::size_t count) {
    io::Timer timer(loop);
    bool late = false;
    loop.spawn(watch(*this, timer, count, late));
    loop.run();
    EXPECT_FALSE(late) << "not fetched " << count << " times";
  }

  static io::Task<void> find_into(StsPolicies& policies, names::Domain domain, std::vector<StsFound>& out,
                                  int count, io::Loop& loop) {
    const auto found = co_await policies.find(domain);
    out.push_back(*found);
    if (std::cmp_equal(out.size(), count)) loop.stop();
  }
  static io::Task<void> check_into(StsPolicies& policies, names::Domain domain, bool& done, io::Loop& loop) {
    co_await policies.check_again(domain);
    done = true;
    loop.stop();
  }
  static io::Task<void> forget_into(StsPolicies& policies, base::Result<>& done, io::Loop& loop) {
    done = co_await policies.forget("x.test");
    loop.stop();
  }
  static io::Task<void> watch(World& world, io::Timer& timer, std::size_t count, bool& late) {
    for (int i = 0; i < 1000 && world.fetches() < count; ++i) co_await timer.wait(10ms);
    late = world.fetches() < count;
    world.loop.stop();
  }

  names::Domain domain = names::Domain::parse("x.test").value();
  base::ManualClock clock{base::Time(1'000'000h)};
  Script served;
  NameServer names;
  io::Loop loop;
  std::unique_ptr<Server> server;
  std::unique_ptr<dns::Resolver> resolver;
  std::unique_ptr<http::Fetcher> fetcher;
  std::unique_ptr<StsPolicies> policies;
};

#define EXPECT_POLICY(found, a_mode)                                   \
  do {                                                                 \
    ASSERT_EQ((found).kind, StsFound::Kind::policy) << (found).detail; \
    EXPECT_EQ((found).cached->policy.mode, a_mode) << (found).detail;  \
  } while (false)

TEST(StsPolicies, FetchedOnceForAllWhoAskAtOnce) {
  World world;
  const auto found = world.find_many(10);
  ASSERT_THAT(found, SizeIs(10));
  for (const StsFound& f : found) EXPECT_POLICY(f, sts::Mode::enforce);
  EXPECT_EQ(world.fetches(), 1U);
  EXPECT_POLICY(world.find(), sts::Mode::enforce);
  EXPECT_EQ(world.fetches(), 1U);
  EXPECT_THAT(world.server->heads()[0], HasSubstr("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"));
}

TEST(StsPolicies, NoTxtRecordNoPolicyNoFetch) {
  World world;
  world.take_txt_away();
  const StsFound found = world.find();
  EXPECT_EQ(found.kind, StsFound::Kind::none);
  EXPECT_THAT(found.detail, HasSubstr("no TXT record"));
  EXPECT_THAT(found.problem, IsEmpty());
  EXPECT_FALSE(found.unsure);
  EXPECT_EQ(world.fetches(), 0U);
}

// RFC 8461 3.3, 5.1
TEST(StsPolicies, TheCachedOneOutlivesItsTxtRecord) {
  World world;
  world.find();
  world.take_txt_away();
  const StsFound found = world.look_again();
  EXPECT_POLICY(found, sts::Mode::enforce);
  EXPECT_THAT(found.detail, HasSubstr("the TXT record has gone"));
  EXPECT_EQ(world.fetches(), 1U);
  world.clock.advance(168h);
  EXPECT_EQ(world.look_again().kind, StsFound::Kind::none) << "until it expires";
}

// RFC 8461 5.1
TEST(StsPolicies, AnotherIdIsFetched) {
  World world;
  world.find();
  world.publish("2", policy("none"));
  const StsFound found = world.look_again();
  EXPECT_POLICY(found, sts::Mode::none);
  EXPECT_EQ(found.cached->id, "2");
  EXPECT_EQ(world.fetches(), 2U);
  world.check_again();
  EXPECT_EQ(world.fetches(), 2U) << "the same id, just fetched";
  world.clock.advance(5min);
  world.check_again();
  EXPECT_EQ(world.fetches(), 3U);
}

// RFC 8461 3.3
TEST(StsPolicies, WhereTheFetchFailsTheCachedOneHolds) {
  World world;
  world.find();
  world.publish("2", policy("none"));
  world.served = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
  for (int i = 0; i < 3; ++i) {
    const StsFound found = world.look_again();
    EXPECT_POLICY(found, sts::Mode::enforce);
    EXPECT_EQ(found.problem, "sts-policy-fetch-error");
    EXPECT_THAT(found.detail, HasSubstr("503"));
  }
  EXPECT_EQ(world.fetches(), 2U) << "not repeated within five minutes";
  world.publish("2", policy("none"));
  world.clock.advance(5min);
  EXPECT_POLICY(world.find(), sts::Mode::none);
  EXPECT_EQ(world.fetches(), 3U);
}

// RFC 8461 3.3: the five minutes are those of one instance of the policy.
TEST(StsPolicies, AnotherIdIsFetchedWithinThePauseOfTheFirst) {
  World world;
  world.served = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
  EXPECT_EQ(world.find().problem, "sts-policy-fetch-error");
  world.publish("2", policy("enforce"));
  EXPECT_POLICY(world.look_again(), sts::Mode::enforce);
  EXPECT_EQ(world.fetches(), 2U);
}

TEST(StsPolicies, WhatAFailedFetchIsCalled) {
  const struct {
    const char* why;
    Script served;
    const char* san;
    bool address;
    const char* problem;
  } cases[] = {
      {"no address", {ok(policy("enforce"))}, "DNS:mta-sts.x.test", false, "sts-policy-fetch-error"},
      {"another name's certificate", {ok(policy("enforce"))}, "DNS:x.test", true, "sts-webpki-invalid"},
      {"not found",
       {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"},
       "DNS:mta-sts.x.test",
       true,
       "sts-policy-fetch-error"},
      {"HTML", {ok(policy("enforce"), "text/html")}, "DNS:mta-sts.x.test", true, "sts-policy-invalid"},
      {"not to the grammar", {ok("mode: enforce")}, "DNS:mta-sts.x.test", true, "sts-policy-invalid"},
  };
  for (const auto& c : cases) {
    World world(nullptr, c.san);
    world.served = c.served;
    if (!c.address) world.names.erase("mta-sts.x.test", dns::Type::a);
    const StsFound found = world.find();
    EXPECT_EQ(found.kind, StsFound::Kind::none) << c.why;
    EXPECT_EQ(found.problem, c.problem) << c.why << ": " << found.detail;
    EXPECT_TRUE(found.unsure) << c.why;
    EXPECT_FALSE(found.detail.empty()) << c.why;
    const StsFound again = world.find();
    EXPECT_EQ(again.problem, c.problem) << c.why << ": remembered for five minutes";
    EXPECT_TRUE(again.unsure) << c.why;
    EXPECT_LE(world.fetches(), 1U) << c.why;
  }
}

TEST(StsPolicies, OneThatLivesForNoTimeIsNotKept) {
  World world;
  world.find();
  world.publish("2", policy("enforce", "0"));
  world.clock.advance(1h);
  world.check_again();
  EXPECT_THAT(world.policies->list().value(), IsEmpty());
  const StsFound found = world.find();
  EXPECT_POLICY(found, sts::Mode::enforce);
  EXPECT_EQ(found.cached->id, "2");
}

// RFC 8461 10.2
TEST(StsPolicies, FetchedAgainBeforeItExpiresWhateverTheTxtRecordSays) {
  World world;
  const base::Time first = world.find().cached->expires();
  world.take_txt_away();
  world.clock.advance(25h);
  world.policies->start_refreshing();
  world.run_until_fetched(2);
  world.check_again();  // behind the refresh, until which the one before holds
  const StsFound found = world.find();
  EXPECT_POLICY(found, sts::Mode::enforce);
  EXPECT_EQ(found.cached->id, "1");
  EXPECT_GT(found.cached->expires(), first);
}

TEST(StsPolicies, Forgotten) {
  World world;
  world.find();
  EXPECT_THAT(world.policies->list().value(), SizeIs(1));
  EXPECT_TRUE(world.forget());
  EXPECT_THAT(world.policies->list().value(), IsEmpty());
  EXPECT_POLICY(world.find(), sts::Mode::enforce);
  EXPECT_EQ(world.fetches(), 2U);
}

struct Folder {
  std::string path;
  Folder() {
    std::string name = testing::TempDir() + "pinnace_sts_XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(StsPolicies, KeptAcrossARestart) {
  const Folder folder;
  for (int round = 0; round < 2; ++round) {
    World world;
    auto db = store::Database::open(world.loop, folder.path, {});
    ASSERT_TRUE(db) << db.error().detail;
    world.policies =
        std::make_unique<StsPolicies>(world.loop, *world.resolver, db->get(), world.clock, *world.fetcher);
    ASSERT_TRUE(world.policies->load());
    if (round == 1) world.take_txt_away();
    EXPECT_POLICY(world.find(), sts::Mode::enforce);
    EXPECT_THAT(world.policies->list().value(), SizeIs(1));
    EXPECT_EQ(world.fetches(), round == 0 ? 1U : 0U);
    if (round == 1) {
      world.clock.advance(25h);
      world.policies->start_refreshing();
      world.run_until_fetched(1);
      EXPECT_TRUE(world.forget());
      EXPECT_THAT(world.policies->list().value(), IsEmpty());
      EXPECT_EQ(world.look_again().kind, StsFound::Kind::none);
    }
    world.loop.drop_tasks();
  }
}

io::Task<void> damage(store::Database& db, io::Loop& loop) {
  store::Batch batch = db.batch();
  batch.put(store::Table::sts, "x.test", "damaged");
  const auto done = co_await db.commit(std::move(batch), store::Durability::buffered);
  EXPECT_TRUE(done);
  loop.stop();
}

TEST(StsPolicies, ADamagedRecordIsNeverNoPolicy) {
  const Folder folder;
  World world;
  auto db = store::Database::open(world.loop, folder.path, {});
  ASSERT_TRUE(db) << db.error().detail;
  world.policies =
      std::make_unique<StsPolicies>(world.loop, *world.resolver, db->get(), world.clock, *world.fetcher);
  world.loop.spawn(damage(**db, world.loop));
  world.loop.run();
  ASSERT_TRUE(world.policies->load());
  world.served = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
  EXPECT_EQ(world.find().kind, StsFound::Kind::failure);
  EXPECT_EQ(world.find().kind, StsFound::Kind::failure) << "nor while the fetch is not repeated";
  world.clock.advance(5min);
  world.publish("1", policy("enforce"));
  EXPECT_POLICY(world.find(), sts::Mode::enforce);
  world.take_txt_away();
  EXPECT_POLICY(world.look_again(), sts::Mode::enforce);
  world.loop.drop_tasks();
}

}  // namespace
}  // namespace pinnace::discovery
