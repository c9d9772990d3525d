// What one report says of one domain, as it is kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tlsrpt/report.hpp"

namespace pinnace::reporting {

struct ReceivedReport {
  std::string domain;
  std::string organization;
  std::string contact;
  std::string id;
  base::Time begin;
  base::Time end;
  base::Time received;
  std::string from;                            // "mail", or the address of who brought it
  std::vector<tlsrpt::PolicyResult> policies;  // without their text and mx: the domain's owner knows them

  static constexpr std::size_t kMaxFailures = 1000;

  // The day comes first, so that the oldest come first. The same report has the same key.
  std::string key() const;
  std::string encode() const;
  static base::Result<ReceivedReport> decode(std::string_view record);
};

// Behind all keys of days before this one.
std::string first_key(base::Time day);

// A report may be about several domains: one of each of `domains` that it is about. A policy that does not
// say its domain is about the one that the others are about, or about the first of `domains`.
std::vector<ReceivedReport> split(tlsrpt::Report report, const std::vector<std::string>& domains);

}  // namespace pinnace::reporting
