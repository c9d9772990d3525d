#include "gate/promises.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "gate/keeping.hpp"
#include "tls/certificate_fixture.hpp"

namespace pinnace::gate {
namespace {

using namespace std::chrono_literals;
namespace certificates = tls::testing_certificates;

const base::Time kNow = base::Time(base::Seconds(1'767'225'600));

struct PromisesStore : testing::Test {
  std::string folder;
  io::Loop loop;
  base::ManualClock clock{kNow};
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Promises> promises;
  AdvertSettings settings;

  PromisesStore() {
    std::string name = testing::TempDir() + "pinnace_gate_XXXXXX";
    folder = mkdtemp(name.data());
    settings.stsec_max_age = 24h;
    open();
  }
  ~PromisesStore() override {
    loop.drop_tasks();
    promises.reset();
    database.reset();
    std::filesystem::remove_all(folder);
  }
  void open(std::uint64_t min_free = 0) {
    promises.reset();
    database.reset();
    database = store::Database::open(loop, folder + "/store", {min_free}).value();
    promises = Promises::open(*database, clock).value();
  }
  Host host() const {
    const auto made = certificates::make({"mx.x.test", "DNS:mx.x.test"});
    const auto backup = certificates::make({"mx.x.test", ""});
    Host out;
    out.hostname = "mx.x.test";
    out.certificates = {tls::OwnCertificate::from_pem(made.pem(), made.key_pem(), "c", "k").value()};
    out.backups = {backup.pin()};
    return out;
  }
  static io::Task<void> write_one(Promises& promises, base::Result<>& out, io::Loop& loop) {
    out = co_await promises.write();
    loop.stop();
  }
  base::Result<> write() {
    base::Result<> out = base::fail("test", "it never ended");
    io::Timer deadline(loop);
    const auto hold = [](io::Timer& t) -> io::Task<void> { co_await t.wait(30s); };
    loop.spawn(hold(deadline));
    loop.spawn(write_one(*promises, out, loop));
    loop.run();
    loop.drop_tasks();
    return out;
  }
};

std::string text_of(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

// Between the promise and its being on the disk there is a crash that forgets it.
TEST_F(PromisesStore, NothingIsSaidBeforeItIsWritten) {
  const Served served(folder + "/served");
  Keeping keeping(*promises, served, clock, {24h, {}, pins::Mode::enforce});
  const Face face = Face::make(keeping.choose({host()}, false).value(), settings, {}).value();
  const Face::Name& name = face.names()[0];
  promises->cover(face);
  EXPECT_EQ(text_of(name.said()), "STSEC MAX-AGE=86400\n") << "STSEC names no key";
  ASSERT_TRUE(write());
  EXPECT_EQ(name.said(), name.lines);
  clock.advance(2h);
  EXPECT_EQ(name.said(), name.lines);
  clock.advance(1s);
  EXPECT_EQ(text_of(name.said()), "STSEC MAX-AGE=86400\n") << "the writer is late";
  clock.set(kNow);
  const auto before = promises->ledgers();
  open();
  EXPECT_EQ(promises->ledgers(), before);
}

TEST_F(PromisesStore, WhatCannotBeWrittenIsNotSaid) {
  open(1ULL << 60);  // no disk has so much room
  const Served served(folder + "/served");
  Keeping keeping(*promises, served, clock, {24h, {}, pins::Mode::enforce});
  const Face face = Face::make(keeping.choose({host()}, false).value(), settings, {}).value();
  promises->cover(face);
  const auto written = write();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, "store.full");
  EXPECT_EQ(text_of(face.names()[0].said()), "STSEC MAX-AGE=86400\n");
}

// A start with another key in the files, and with the ledger or without.
TEST_F(PromisesStore, WhatWasServedIsServedAgain) {
  const Served served(folder + "/served");
  const pins::Schedule schedule{24h, {}, pins::Mode::enforce};
  const Host first = host(), second = host();
  {
    Keeping keeping(*promises, served, clock, schedule);
    promises->cover(Face::make(keeping.choose({first}, false).value(), settings, {}).value());
    ASSERT_TRUE(promises->write_at_start());
  }
  for (const bool lost : {false, true}) {
    if (lost) {
      promises.reset();
      database.reset();
      std::filesystem::remove_all(folder + "/store");
    }
    open();
    Keeping keeping(*promises, served, clock, schedule);
    const auto shown = keeping.choose({second}, false).value();
    ASSERT_EQ(shown.size(), 1U);
    EXPECT_EQ(shown[0].certificates[0].fingerprint(), first.certificates[0].fingerprint()) << lost;
    ASSERT_TRUE(keeping.held().contains("mx.x.test"));
    // Said for two hours, held for a day, an hour for the clocks; or whatever may have been.
    EXPECT_EQ(keeping.next_date(), kNow + (lost ? base::Seconds(24h * 60 + 1h) : base::Seconds(27h)));
    EXPECT_EQ(shown[0].backups.back(), second.certificates[0].chain().pins()[0]) << "its key is promised now";
  }
}

TEST_F(PromisesStore, WithNothingThatMayBeServedItDoesNotStart) {
  const Host first = host();
  const pins::Schedule schedule{24h, {}, pins::Mode::enforce};
  const Served served(folder + "/served");
  Keeping before(*promises, served, clock, schedule);
  promises->cover(Face::make(before.choose({first}, false).value(), settings, {}).value());
  std::filesystem::remove_all(folder + "/served");
  Keeping keeping(*promises, served, clock, schedule);
  const auto refused = keeping.choose({host()}, false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("put that certificate and key back"), std::string::npos);
  EXPECT_TRUE(keeping.choose({host()}, true)) << "unless promises may be broken";
}

}  // namespace
}  // namespace pinnace::gate
