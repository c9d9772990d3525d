// A TLS report (RFC 8460 4.4) as it comes from others: JSON that claims to follow the schema. What is needed
// is strict, what is sent in other ways is understood, and what is wrong is told with its place. Every text
// in it is one line of UTF-8 without controls, and of bounded length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace pinnace::tlsrpt {

inline constexpr std::size_t kMaxJson = 4 << 20;     // octets
inline constexpr std::size_t kMaxPolicies = 1000;    // in a report
inline constexpr std::size_t kMaxFailures = 10'000;  // in a report

struct Failure {
  std::string result;  // RFC 8460 4.3: "certificate-expired"; or whatever it was called
  std::string sending_ip;
  std::string mx;
  std::string helo;
  std::string receiving_ip;
  std::uint64_t sessions = 0;
  std::string information;
  std::string reason;  // failure-reason-code
};

struct PolicyResult {
  std::string type;  // "sts", "tlsa", "no-policy-found"; or whatever it was called
  std::vector<std::string> text;
  std::string domain;  // in lower case; empty: not said
  std::vector<std::string> mx;
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  std::vector<Failure> failures;
};

struct Report {
  std::string organization;
  std::string contact;
  std::string id;  // never empty
  base::Time begin;
  base::Time end;
  std::vector<PolicyResult> policies;
};

struct ReadReport {
  std::optional<Report> report;
  std::vector<std::string> problems;  // a bounded number; without a report the first says why
};

ReadReport read_report(std::string_view json);

}  // namespace pinnace::tlsrpt
