#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "reporting/causes.hpp"
#include "reporting/inbound.hpp"
#include "reporting/pin_outlook.hpp"
#include "reporting/sums.hpp"

namespace pinnace::reporting {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

base::Time at(const std::string& text) { return base::parse_time(text).value(); }

std::string vector_file(const std::string& name) {
  std::ifstream in(PINNACE_SOURCE_DIR "/tests/vectors/tlsrpt/" + name, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// A report about example.org.
std::string report(const std::string& organization, const std::string& id, const std::string& day,
                   const std::string& domain = "example.org") {
  return R"({"organization-name":")" + organization + R"(","report-id":")" + id +
         R"(","date-range":{"start-datetime":")" + day +
         R"(T00:00:00Z"},"policies":[{"policy":{"policy-type":"sts",)"
         R"("policy-domain":")" +
         domain +
         R"("},"summary":{"total-successful-session-count":5,)"
         R"("total-failure-session-count":1}}]})";
}

struct Site {
  std::string folder = [] {
    std::string name = testing::TempDir() + "pinnace_reporting_XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
  io::Loop loop;
  base::ManualClock clock{at("2026-11-24T12:00:00Z")};
  InboundSettings settings{.domains = {"example.org", "example.net"}};
  std::unique_ptr<store::Database> db;
  std::unique_ptr<Inbound> inbound;
  io::Timer held{loop};  // while only other threads work

  Site() { loop.spawn(hold(held)); }
  void open() {
    inbound.reset();
    db.reset();
    db = std::move(store::Database::open(loop, folder + "/store", {}).value());
    inbound = std::make_unique<Inbound>(loop, *db, clock, settings);
    ASSERT_TRUE(inbound->load());
  }
  ~Site() {
    loop.drop_tasks();
    inbound.reset();
    db.reset();
    std::filesystem::remove_all(folder);
  }

  static io::Task<void> hold(io::Timer& timer) { co_await timer.wait(std::chrono::minutes(1)); }
  static io::Task<void> taking(Site& self, std::string text, base::Result<Taken>& out) {
    out = co_await self.inbound->take(std::move(text), "mail");
    self.loop.stop();
  }
  static io::Task<void> tending(Site& self) {
    co_await self.inbound->tend();
    self.loop.stop();
  }
  void run(io::Task<void> task) {
    loop.spawn(std::move(task));
    loop.run();
  }
  base::Result<Taken> take(const std::string& text) {
    base::Result<Taken> out = base::fail("test", "not ended");
    run(taking(*this, text, out));
    return out;
  }
  std::vector<std::string> days() const {
    std::vector<std::string> out;
    EXPECT_TRUE(inbound->each(base::Time(), [&](const ReceivedReport& r) {
      out.push_back(base::format_time(r.begin).substr(0, 10));
      return true;
    }));
    return out;
  }
};

TEST(Inbound, WhatIsTakenIsThereAfterReopening) {
  Site site;
  site.open();
  const auto taken = site.take(vector_file("google.eml"));
  ASSERT_TRUE(taken) << taken.error().detail;
  EXPECT_EQ(taken->organization, "Google Inc.");
  EXPECT_THAT(taken->domains, ElementsAre("example.org"));
  EXPECT_FALSE(taken->known);
  site.open();
  EXPECT_EQ(site.inbound->reports(), 1U);
  std::vector<ReceivedReport> all;
  ASSERT_TRUE(site.inbound->each(base::Time(), [&](const ReceivedReport& r) {
    all.push_back(r);
    return true;
  }));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].id, "2026-11-20T00:00:00Z_example.org");
  EXPECT_EQ(all[0].contact, "smtp-tls-reporting@google.com");
  EXPECT_EQ(all[0].received, site.clock.now());
  EXPECT_EQ(all[0].policies.at(0).succeeded, 52U);
  EXPECT_EQ(all[0].policies[0].failures.at(0).result, "certificate-host-mismatch");
  EXPECT_EQ(all[0].policies[0].failures[0].sessions, 3U);
}

TEST(Inbound, TheSameReportCountsOnce) {
  Site site;
  site.open();
  EXPECT_FALSE(site.take(report("a", "1", "2026-11-20"))->known);
  EXPECT_TRUE(site.take(report("a", "1", "2026-11-20"))->known);
  EXPECT_FALSE(site.take(report("a", "1", "2026-11-20", "example.net"))->known);
  EXPECT_FALSE(site.take(report("b", "1", "2026-11-20"))->known);
  EXPECT_FALSE(site.take(report("a/b", "c", "2026-11-20"))->known);
  EXPECT_FALSE(site.take(report("a", "b/c", "2026-11-20"))->known) << "names with '/' are no others";
  EXPECT_EQ(site.inbound->reports(), 5U);
}

TEST(Inbound, WhatIsNotTakenSaysWhy) {
  Site site;
  site.open();
  const struct {
    std::string text;
    const char* code;
  } cases[] = {
      {report("a", "1", "2026-11-20", "example.com"), "reporting.domain"},
      {report("a", "1", "2026-11-28"), "reporting.date"},
      {report("a", "1", "2025-10-01"), "reporting.date"},
      {"{}", "tlsrpt.json"},
      {"Subject: hello\n\nno report\n", "tlsrpt.none"},
      {"\x1f\x8b broken", "tlsrpt.gzip"},
  };
  for (const auto& c : cases) EXPECT_EQ(site.take(c.text).error().code, c.code) << c.text;
  EXPECT_EQ(site.inbound->reports(), 0U);
}

TEST(Inbound, TheOldestGoFirst) {
  Site site;
  site.settings.max_reports = 3;
  site.open();
  for (const char* day : {"2026-11-21", "2026-11-20", "2026-11-23", "2026-11-22"})
    ASSERT_TRUE(site.take(report("a", day, day)));
  EXPECT_THAT(site.days(), ElementsAre("2026-11-21", "2026-11-22", "2026-11-23"));
  EXPECT_EQ(site.inbound->reports(), 3U);
  site.settings.max_octets = site.inbound->octets();
  site.settings.max_reports = 100;
  site.open();
  ASSERT_TRUE(site.take(report("a", "x", "2026-11-24")));
  EXPECT_LE(site.inbound->octets(), site.settings.max_octets);
  EXPECT_THAT(site.days(), testing::Not(testing::Contains("2026-11-21")));
}

TEST(Inbound, WhatIsOverIsErased) {
  Site site;
  site.settings.keep = std::chrono::days(3);
  site.open();
  ASSERT_TRUE(site.take(report("a", "1", "2026-11-22")));
  ASSERT_TRUE(site.take(report("a", "2", "2026-11-24")));
  site.clock.advance(std::chrono::days(3));
  site.run(Site::tending(site));
  EXPECT_THAT(site.days(), ElementsAre("2026-11-24"));
  EXPECT_EQ(site.inbound->reports(), 1U);
  site.clock.advance(std::chrono::days(3));
  site.run(Site::tending(site));
  EXPECT_EQ(site.inbound->reports(), 0U);
  EXPECT_EQ(site.inbound->octets(), 0U);
}

TEST(ReceivedReport, ADamagedRecordIsNone) {
  ReceivedReport r;
  r.domain = "example.org";
  r.policies = {{"sts", {}, "example.org", {}, 1, 2, {{"certificate-expired", "", "", "", "", 2, "", ""}}}};
  const std::string record = r.encode();
  ASSERT_TRUE(ReceivedReport::decode(record));
  for (std::size_t size = 0; size < record.size(); ++size)
    EXPECT_FALSE(ReceivedReport::decode(record.substr(0, size))) << size;
  EXPECT_FALSE(ReceivedReport::decode(record + "x"));
  EXPECT_FALSE(ReceivedReport::decode("\x02" + record.substr(1))) << "another version";
}

TEST(Split, OneForEachDomain) {
  tlsrpt::Report r;
  r.begin = at("2026-11-20T00:00:00Z");
  const auto policy = [](const std::string& domain, std::size_t failures) {
    tlsrpt::PolicyResult p;
    p.domain = domain;
    p.failures.resize(failures);
    return p;
  };
  r.policies = {policy("example.org", 700), policy("example.org", 700), policy("example.com", 1),
                policy("example.net", 1)};
  const auto parts = split(r, {"example.org", "example.net"});
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].domain, "example.net");
  EXPECT_EQ(parts[1].policies.at(0).failures.size() + parts[1].policies.at(1).failures.size(),
            ReceivedReport::kMaxFailures);
  // As Postfix's reports of domains without a policy are.
  r.policies = {policy("", 0)};
  EXPECT_EQ(split(r, {"example.org", "example.net"}).at(0).domain, "example.org");
  r.policies = {policy("", 0), policy("example.net", 0)};
  EXPECT_EQ(split(r, {"example.org", "example.net"}).at(0).domain, "example.net");
}

ReceivedReport received(const std::string& organization, const std::string& day,
                        std::vector<tlsrpt::Failure> failures, std::uint64_t succeeded,
                        std::uint64_t failed) {
  ReceivedReport r;
  r.domain = "example.org";
  r.organization = organization;
  r.begin = at(day + "T00:00:00Z");
  r.end = r.begin + std::chrono::days(1);
  tlsrpt::PolicyResult p;
  p.type = "sts";
  p.succeeded = succeeded;
  p.failed = failed;
  p.failures = std::move(failures);
  r.policies = {p};
  return r;
}

tlsrpt::Failure failure(const std::string& result, std::uint64_t sessions, const std::string& reason = "",
                        const std::string& mx = "mx.example.org") {
  tlsrpt::Failure f;
  f.result = result;
  f.sessions = sessions;
  f.reason = reason;
  f.mx = mx;
  return f;
}

TEST(Sums, ByKindAndOrganisation) {
  Sums sums;
  sums.add(received("a", "2026-11-20", {failure("certificate-expired", 3, "ERR")}, 10, 3));
  sums.add(received("b", "2026-11-21",
                    {failure("certificate-expired", 1), failure("validation-failure", 2, "pkp-mismatch")}, 0,
                    3));
  sums.add(
      received("b", "2026-11-22", {failure("certificate-expired", 4)}, 1, 0));  // does not sum up its details
  sums.add(received("c", "2026-11-22", {}, 1, 7));                              // has none
  EXPECT_EQ(sums.reports(), 4U);
  EXPECT_EQ(sums.all().succeeded, 12U);
  EXPECT_EQ(sums.all().failed, 17U);
  EXPECT_EQ(sums.by_organization().at("b").failed, 7U);
  const auto& problems = sums.problems();
  ASSERT_EQ(problems.size(), 3U);
  const Problem& expired = problems.at("certificate-expired");
  EXPECT_EQ(expired.sessions, 8U);
  EXPECT_THAT(expired.organizations, ElementsAre(Pair("a", 3U), Pair("b", 5U)));
  EXPECT_THAT(expired.hosts, ElementsAre(Pair("mx.example.org", 8U)));
  EXPECT_THAT(expired.reasons, ElementsAre(Pair("ERR", 3U)));
  EXPECT_EQ(expired.first, at("2026-11-20T00:00:00Z"));
  EXPECT_EQ(expired.last, at("2026-11-23T00:00:00Z"));
  EXPECT_EQ(problems.at(kPinMismatch).sessions, 2U);
  EXPECT_EQ(problems.at("not-detailed").sessions, 7U);
  const RowKey row{"2026-11-21", "example.org", "b", "sts", kPinMismatch};
  EXPECT_EQ(sums.rows().at(row), 2U);
  EXPECT_THAT(largest(expired.organizations, 1), ElementsAre(Pair("b", 5U)));
}

TEST(Sums, AreBounded) {
  Sums sums;
  for (std::size_t i = 0; i < Sums::kMost + 5; ++i)
    sums.add(received("o" + std::to_string(i), "2026-11-20", {failure("certificate-expired", 1)}, 0, 1));
  EXPECT_EQ(sums.by_organization().size(), Sums::kMost + 1);
  EXPECT_EQ(sums.by_organization().at("(others)").failed, 5U);
  EXPECT_EQ(sums.problems().at("certificate-expired").sessions, Sums::kMost + 5);
}

TEST(PinOutlook, UntilTheLastWhoHeardAnotherKeyForgetsIt) {
  const auto pin = [](char c) {
    pins::Pin out;
    out.sha256.fill(static_cast<std::uint8_t>(c));
    return out;
  };
  const base::Time now = at("2026-11-24T12:00:00Z");
  const auto promise = [&](std::vector<pins::Pin> keys, int days, pins::Mode mode = pins::Mode::enforce) {
    pins::Promise p;
    p.pins = std::move(keys);
    p.mode = mode;
    p.said_until = now;
    p.max_age = std::chrono::days(days);
    return p;
  };
  const std::vector<pins::Pin> live = {pin('b')};
  EXPECT_FALSE(old_pin_until({}, live, now));
  EXPECT_FALSE(old_pin_until(std::vector{promise({pin('a'), pin('b')}, 9)}, live, now))
      << "the live key keeps it";
  EXPECT_FALSE(old_pin_until(std::vector{promise({pin('a')}, 9, pins::Mode::report)}, live, now));
  EXPECT_FALSE(old_pin_until(std::vector{promise({pin('a')}, 9)}, live, now + std::chrono::days(20)))
      << "over";
  pins::Promise broken = promise({pin('a')}, 2);
  broken.broken = true;  // the operator's word changes nothing for who heard it
  const std::vector all = {broken, promise({pin('c')}, 1), promise({pin('a'), pin('b')}, 9)};
  EXPECT_EQ(old_pin_until(all, live, now), broken.ends());
}

TEST(Causes, EveryResultTypeOfTheRfcHasOne) {
  const std::string_view unknown = cause_of("new-in-2031").what;
  for (const char* kind :
       {"starttls-not-supported", "certificate-host-mismatch", "certificate-expired",
        "certificate-not-trusted", "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required",
        "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid", kPinMismatch, "not-detailed"}) {
    EXPECT_NE(cause_of(kind).what, unknown) << kind;
    EXPECT_FALSE(cause_of(kind).remedy.empty()) << kind;
  }
}

}  // namespace
}  // namespace pinnace::reporting
