// Reports summed up: who reached us, who did not, and why. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reporting/received_report.hpp"

namespace pinnace::reporting {

// A kind of failure: a result type of RFC 8460 4.3, or kPinMismatch (pinning-protocol 5.4).
inline constexpr const char* kPinMismatch = "pkp-mismatch";
std::string kind_of(const tlsrpt::Failure& failure);

struct Count {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
};

// One kind of failure, over all days.
struct Problem {
  std::uint64_t sessions = 0;
  std::map<std::string, std::uint64_t> organizations;  // sessions of each
  std::map<std::string, std::uint64_t> hosts;          // of ours
  std::map<std::string, std::uint64_t> reasons;        // failure-reason-code
  base::Time first;
  base::Time last;  // ends of reports
};

// One row: a day, an organisation, a policy, what came of it.
struct RowKey {
  std::string day;  // "2026-11-20"
  std::string domain;
  std::string organization;
  std::string policy;
  std::string result;  // a kind of failure; empty: it succeeded
  auto operator<=>(const RowKey&) const = default;
};

class Sums {
 public:
  // Of each map so many; what is beyond counts as "(others)".
  static constexpr std::size_t kMost = 10'000;

  void add(const ReceivedReport& report);

  std::size_t reports() const { return reports_; }
  const Count& all() const { return all_; }
  const std::map<std::string, Count>& by_domain() const { return by_domain_; }
  const std::map<std::string, Count>& by_organization() const { return by_organization_; }
  const std::map<std::string, Problem>& problems() const { return problems_; }
  const std::map<RowKey, std::uint64_t>& rows() const { return rows_; }

 private:
  void add(const ReceivedReport& report, const tlsrpt::PolicyResult& policy);
  void add_failure(const ReceivedReport& report, const std::string& policy, const tlsrpt::Failure& failure);
  void add_row(RowKey key, std::uint64_t sessions);

  std::size_t reports_ = 0;
  Count all_;
  std::map<std::string, Count> by_domain_, by_organization_;
  std::map<std::string, Problem> problems_;
  std::map<RowKey, std::uint64_t> rows_;
};

// The names of the largest first, at most so many.
std::vector<std::pair<std::string, std::uint64_t>> largest(const std::map<std::string, std::uint64_t>& of,
                                                           std::size_t most);

}  // namespace pinnace::reporting
