// Reports of others about our domains, in the store: taken in, kept for some time, read again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/worker.hpp"
#include "reporting/received_report.hpp"
#include "store/database.hpp"

namespace pinnace::reporting {

struct InboundSettings {
  std::vector<std::string> domains;  // in lower case; of others nothing is taken
  std::chrono::days keep{400};       // from a report's day on
  std::size_t max_reports = 100'000;
  std::uint64_t max_octets = 256 << 20;  // of their records
};

// What came of one that was delivered.
struct Taken {
  std::string organization;
  std::string id;
  std::vector<std::string> domains;   // of ours that it is about
  bool known = false;                 // it was there already, and counts once
  std::vector<std::string> problems;  // what of it was not taken as it was said
};

class Inbound {
 public:
  // `db` and `clock` outlive it.
  Inbound(io::Loop& loop, store::Database& db, const base::Clock& clock, InboundSettings settings);

  // Counts what is there. Before the loop runs.
  base::Result<> load();

  // JSON, gzip or a mail with either. It is on disk when this ends. Errors: "tlsrpt.none", "tlsrpt.gzip",
  // "tlsrpt.size", "tlsrpt.json", "reporting.domain" (about none of ours), "reporting.date" (a day to come,
  // or one that is over): the same will never be taken; the store's: it may be later.
  io::Task<base::Result<Taken>> take(std::string delivered, std::string from);

  // In order of their days from `since` on, until fn gives false. A damaged one is passed over.
  base::Result<> each(base::Time since, const std::function<bool(const ReceivedReport&)>& fn) const;

  // Erases what is over. Once a day.
  io::Task<void> tend();

  std::size_t reports() const { return reports_; }
  std::uint64_t octets() const { return octets_; }
  bool about_us(const std::string& domain) const;

 private:
  io::Task<base::Result<bool>> keep(std::vector<ReceivedReport> reports);
  void erase_first(store::Batch& batch, std::size_t reports, std::uint64_t octets, base::Time before);

  store::Database& db_;
  const base::Clock& clock_;
  InboundSettings settings_;
  std::size_t reports_ = 0;
  std::uint64_t octets_ = 0;
  io::Worker worker_;  // a large one takes its time
};

}  // namespace pinnace::reporting
