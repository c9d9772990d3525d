#include "reporting/sums.hpp"

#include <algorithm>

namespace pinnace::reporting {
namespace {

const std::string kOthers = "(others)";

template <class Map>
auto& slot(Map& map, const std::string& key) {
  return map.contains(key) || map.size() < Sums::kMost ? map[key] : map[kOthers];
}

}  // namespace

std::string kind_of(const tlsrpt::Failure& failure) {
  return failure.reason.starts_with(kPinMismatch) ? kPinMismatch : failure.result;
}

void Sums::add(const ReceivedReport& report) {
  ++reports_;
  for (const tlsrpt::PolicyResult& policy : report.policies) add(report, policy);
}

void Sums::add(const ReceivedReport& report, const tlsrpt::PolicyResult& policy) {
  std::uint64_t detailed = 0;
  for (const tlsrpt::Failure& failure : policy.failures) {
    detailed += failure.sessions;
    add_failure(report, policy.type, failure);
  }
  // Some sum up what they give no details of, others give details that they do not sum up.
  const std::uint64_t failed = std::max(policy.failed, detailed);
  if (failed > detailed) {
    tlsrpt::Failure rest;
    rest.result = "not-detailed";
    rest.sessions = failed - detailed;
    add_failure(report, policy.type, rest);
  }
  if (policy.succeeded > 0)
    add_row(
        {base::format_time(report.begin).substr(0, 10), report.domain, report.organization, policy.type, ""},
        policy.succeeded);
  for (Count* count :
       {&all_, &slot(by_domain_, report.domain), &slot(by_organization_, report.organization)}) {
    count->succeeded += policy.succeeded;
    count->failed += failed;
  }
}

void Sums::add_failure(const ReceivedReport& report, const std::string& policy,
                       const tlsrpt::Failure& failure) {
  if (failure.sessions == 0) return;
  const std::string kind = kind_of(failure);
  Problem& p = slot(problems_, kind);
  if (p.sessions == 0 || report.begin < p.first) p.first = report.begin;
  p.last = std::max(p.last, report.end);
  p.sessions += failure.sessions;
  slot(p.organizations, report.organization) += failure.sessions;
  if (!failure.mx.empty()) slot(p.hosts, failure.mx) += failure.sessions;
  if (!failure.reason.empty() && kind != kPinMismatch) slot(p.reasons, failure.reason) += failure.sessions;
  add_row({base::format_time(report.begin).substr(0, 10), report.domain, report.organization, policy, kind},
          failure.sessions);
}

void Sums::add_row(RowKey key, std::uint64_t sessions) {
  if (!rows_.contains(key) && rows_.size() >= kMost)
    key = {"", "", kOthers, "", key.result.empty() ? "" : kOthers};
  rows_[std::move(key)] += sessions;
}

std::vector<std::pair<std::string, std::uint64_t>> largest(const std::map<std::string, std::uint64_t>& of,
                                                           std::size_t most) {
  std::vector<std::pair<std::string, std::uint64_t>> out(of.begin(), of.end());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace pinnace::reporting
