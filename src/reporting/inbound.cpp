#include "reporting/inbound.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "tlsrpt/report_mail.hpp"

namespace pinnace::reporting {
namespace {

using store::Table;

base::Result<tlsrpt::ReadReport> read(const std::string& delivered) {
  const auto json = tlsrpt::report_json(delivered);
  if (!json) return std::unexpected(json.error());
  tlsrpt::ReadReport out = tlsrpt::read_report(*json);
  if (!out.report) return base::fail("tlsrpt.json", "no report: " + out.problems.at(0));
  return out;
}

// What counts against max_octets.
std::uint64_t cost(std::string_view key, std::string_view record) { return key.size() + record.size(); }

}  // namespace

Inbound::Inbound(io::Loop& loop, store::Database& db, const base::Clock& clock, InboundSettings settings)
    : db_(db), clock_(clock), settings_(std::move(settings)), worker_(loop) {}

base::Result<> Inbound::load() {
  reports_ = octets_ = 0;
  return db_.scan(Table::reports, "", [&](std::string_view key, std::string_view record) {
    ++reports_;
    octets_ += cost(key, record);
    return true;
  });
}

bool Inbound::about_us(const std::string& domain) const {
  return std::find(settings_.domains.begin(), settings_.domains.end(), domain) != settings_.domains.end();
}

io::Task<base::Result<Taken>> Inbound::take(std::string delivered, std::string from) {
  // Named first: g++ 12 would destroy what it holds twice.
  auto reading = [text = std::move(delivered)] { return read(text); };
  auto read_one = co_await worker_.run(std::move(reading));
  if (!read_one) co_return std::unexpected(read_one.error());
  tlsrpt::Report& report = *read_one->report;
  const base::Time now = clock_.now();
  if (report.begin > now + std::chrono::days(2) || report.begin < now - settings_.keep) {
    co_return base::fail("reporting.date",
                         fmt::format("it is of {}: reports of the last {} days are taken",
                                     base::format_time(report.begin).substr(0, 10), settings_.keep.count()));
  }
  Taken taken{report.organization, report.id, {}, false, std::move(read_one->problems)};
  auto reports = split(std::move(report), settings_.domains);
  if (reports.empty()) {
    co_return base::fail("reporting.domain",
                         "it is about none of the domains that reports are taken for here");
  }
  for (ReceivedReport& r : reports) {
    r.received = now;
    r.from = from;
    taken.domains.push_back(r.domain);
  }
  const auto kept = co_await keep(std::move(reports));
  if (!kept) co_return std::unexpected(kept.error());
  taken.known = !*kept;
  co_return taken;
}

// False: each was there already.
io::Task<base::Result<bool>> Inbound::keep(std::vector<ReceivedReport> reports) {
  store::Batch batch = db_.batch();
  std::size_t added = 0;
  std::uint64_t octets = 0;
  for (const ReceivedReport& r : reports) {
    const std::string key = r.key();
    const auto there = db_.get(Table::reports, key);
    if (!there) co_return std::unexpected(there.error());
    if (*there) continue;
    const std::string record = r.encode();
    batch.put(Table::reports, key, record);
    ++added;
    octets += cost(key, record);
  }
  if (added == 0) co_return false;
  if (reports_ + added > settings_.max_reports || octets_ + octets > settings_.max_octets) {
    // A part more than is needed, so that not each that comes looks for another to go.
    const auto over = [](auto is, auto most) { return is > most - most / 50 ? is - (most - most / 50) : 0; };
    erase_first(batch, over(reports_ + added, settings_.max_reports),
                over(octets_ + octets, settings_.max_octets), base::Time());
  }
  reports_ += added;
  octets_ += octets;
  const auto done = co_await db_.commit(std::move(batch), store::Durability::synced);
  if (done) co_return true;
  const auto counted = load();
  (void)counted;  // what it then counts wrong is right at the next start
  co_return std::unexpected(done.error());
}

// Those of days before `before`, and of the others the oldest, until so many and so much are gone.
void Inbound::erase_first(store::Batch& batch, std::size_t reports, std::uint64_t octets, base::Time before) {
  std::size_t erased = 0;
  std::uint64_t freed = 0;
  const std::string bound = first_key(before);
  const auto done = db_.scan(Table::reports, "", [&](std::string_view key, std::string_view record) {
    if (key >= bound && erased >= reports && freed >= octets) return false;
    batch.erase(Table::reports, key);
    ++erased;
    freed += cost(key, record);
    return true;
  });
  if (!done) base::log_error("reports_unreadable", {{"detail", done.error().detail}});
  reports_ -= std::min(erased, reports_);
  octets_ -= std::min(freed, octets_);
}

io::Task<void> Inbound::tend() {
  store::Batch batch = db_.batch();
  const std::size_t before = reports_;
  erase_first(batch, 0, 0, clock_.now() - settings_.keep);
  if (reports_ == before) co_return;
  const auto done =
      co_await db_.commit(std::move(batch), store::Durability::buffered, store::Purpose::removes);
  if (done) co_return;
  base::log_error("reports_not_erased", {{"detail", done.error().detail}});
  const auto counted = load();
  (void)counted;
}

base::Result<> Inbound::each(base::Time since, const std::function<bool(const ReceivedReport&)>& fn) const {
  return db_.scan_from(Table::reports, first_key(since), [&fn](std::string_view, std::string_view record) {
    const auto report = ReceivedReport::decode(record);
    return !report || fn(*report);
  });
}

}  // namespace pinnace::reporting
