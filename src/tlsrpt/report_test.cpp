#include "tlsrpt/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pinnace::tlsrpt {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

std::string with(const std::string& policies,
                 const std::string& range = R"({"start-datetime":"2026-11-20T00:00:00Z"})") {
  return R"({"organization-name":"o","report-id":"i","date-range":)" + range + R"(,"policies":)" + policies +
         "}";
}

TEST(Report, WhatIsNoneSaysWhy) {
  const struct {
    std::string text;
    const char* why;
  } cases[] = {
      {"", "no JSON"},
      {"{", "no JSON: at octet 1"},
      {"[]", "a JSON object is expected"},
      {"{}", "date-range"},
      {with("[]") + "x", "no JSON"},
      {with("[]", R"({"start-datetime":"yesterday"})"), "date-range"},
      {with("[]", R"({"start-datetime":"9999-01-01T00:00:00Z"})"), "date-range"},
      {with("[]", R"("2026-11-20")"), "date-range"},
      {with(std::string(20, '[') + std::string(20, ']')), "no JSON: at octet"},
      {std::string(kMaxJson + 1, ' '), "more than 4194304 octets"},
  };
  for (const auto& c : cases) {
    const ReadReport read = read_report(c.text);
    EXPECT_FALSE(read.report) << c.why;
    ASSERT_FALSE(read.problems.empty()) << c.why;
    EXPECT_THAT(read.problems[0], HasSubstr(c.why));
  }
}

TEST(Report, DatesAsTheyAreWritten) {
  const struct {
    const char* range;
    const char* begin;
    const char* end;
  } cases[] = {
      {R"({"start-datetime":"2026-11-20T00:00:00Z","end-datetime":"2026-11-20T23:59:59Z"})",
       "2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z"},
      {R"({"start-datetime":"2026-11-20T02:00:00.000+02:00"})", "2026-11-20T00:00:00Z",
       "2026-11-21T00:00:00Z"},
      {R"({"start-datetime":"2026-11-20 00:00:00"})", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
      {R"({"end-datetime":"2026-11-20"})", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"},
      {R"({"start-datetime":1795132800})", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
      // an end that cannot be
      {R"({"start-datetime":"2026-11-20T00:00:00Z","end-datetime":"2026-11-19T00:00:00Z"})",
       "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
  };
  for (const auto& c : cases) {
    const ReadReport read = read_report(with("[]", c.range));
    ASSERT_TRUE(read.report) << c.range;
    EXPECT_EQ(base::format_time(read.report->begin), c.begin) << c.range;
    EXPECT_EQ(base::format_time(read.report->end), c.end) << c.range;
  }
}

TEST(Report, WhatIsMissingHasAStandIn) {
  const ReadReport read = read_report(R"({"date-range":{"start-datetime":"2026-11-20T00:00:00Z"},
      "contact-info":"tls@mail.example","policies":{"policy":{},"failure-details":[{}]}})");
  ASSERT_TRUE(read.report);
  EXPECT_EQ(read.report->organization, "mail.example");
  EXPECT_EQ(read.report->id, "2026-11-20T00:00:00Z");
  ASSERT_EQ(read.report->policies.size(), 1U);
  EXPECT_EQ(read.report->policies[0].type, "no-policy-found");
  EXPECT_EQ(read.report->policies[0].failures.at(0).result, "validation-failure");
  EXPECT_THAT(read.problems, Contains(HasSubstr("policies[0].failure-details[0].result-type")));
  EXPECT_THAT(read.problems,
              Contains(HasSubstr("policies[0].summary.total-failure-session-count: is not said")));
}

TEST(Report, NeverMoreThanMayBe) {
  std::string policies = "[";
  for (std::size_t i = 0; i <= kMaxPolicies; ++i) policies += "{},";
  policies.back() = ']';
  EXPECT_EQ(read_report(with(policies)).report->policies.size(), kMaxPolicies);
  EXPECT_LE(read_report(with(policies)).problems.size(), 20U);

  std::string failures = R"([{"failure-details":[)";
  for (std::size_t i = 0; i <= kMaxFailures; ++i) failures += "{},";
  failures.back() = ']';
  EXPECT_EQ(read_report(with(failures + "}]")).report->policies[0].failures.size(), kMaxFailures);

  const ReadReport name = read_report(R"({"organization-name":")" + std::string(100'000, 'a') +
                                      R"(","date-range":{"start-datetime":"2026-11-20T00:00:00Z"}})");
  EXPECT_EQ(name.report->organization.size(), 255U);

  // Half of the octets that are read are values; in memory each is many.
  std::string values = "[";
  while (values.size() < kMaxJson - 200) values += "[],";
  values.back() = ']';
  const ReadReport many = read_report(with(values));
  EXPECT_FALSE(many.report);
  EXPECT_EQ(many.problems.at(0), "the JSON has more values than a report may have");
}

}  // namespace
}  // namespace pinnace::tlsrpt
