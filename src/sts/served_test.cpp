#include "sts/served.hpp"

#include <gtest/gtest.h>

namespace pinnace::sts {
namespace {

// RFC 8461 3.2, 3.3; RFC 8460 4.3.2.2
TEST(Served, WhatThePolicyHostAnswers) {
  const std::string good = "version: STSv1\nmode: none\nmax_age: 60\n";
  const struct {
    long status;
    const char* type;
    std::string body;
    std::string_view problem;  // empty: a policy
  } cases[] = {
      {200, "text/plain", good, ""},
      {200, "TEXT/Plain", good, ""},
      {200, "text/plain; charset=utf-8", good, ""},
      {200, "text/plain;charset=iso-8859-1;x=y", good, ""},
      {200, "\t text/plain ;", good, ""},
      {200, "text/html", good, kInvalid},
      {200, "text/plainer", good, kInvalid},
      {200, "text/plai", good, kInvalid},
      {200, "text/pl ain", good, kInvalid},
      {200, "x; text/plain", good, kInvalid},
      {200, "", good, kInvalid},
      {200, " ", good, kInvalid},
      {200, "text/plain", "<html>", kInvalid},
      {200, "text/plain", "", kInvalid},
      {201, "text/plain", good, kFetchError},
      {301, "text/plain", good, kFetchError},
      {404, "text/plain", good, kFetchError},
      {500, "text/plain", good, kFetchError},
      {0, "text/plain", good, kFetchError},
  };
  for (const auto& c : cases) {
    const Served served = read_served(c.status, c.type, c.body);
    EXPECT_EQ(served.policy.has_value(), c.problem.empty()) << c.status << " " << c.type;
    EXPECT_EQ(served.problem, c.problem) << c.status << " " << c.type;
    EXPECT_EQ(served.detail.empty(), c.problem.empty()) << c.status << " " << c.type;
  }
}

TEST(Served, WhatItIsCalledCanBeShown) {
  const Served served = read_served(200, std::string("text/\xff\x1b\n") + std::string(100, 'x'), "");
  EXPECT_EQ(served.detail, "the policy is 'text/???" + std::string(72, 'x') + "', not text/plain");
}

}  // namespace
}  // namespace pinnace::sts
