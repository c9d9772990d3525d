// How long a start takes with so many queued messages, and how much memory the queue holds for them.
//
//     bench_queue FOLDER [MESSAGES] [DESTINATIONS]
//
// FOLDER is filled the first time, as a relay would have left it, and kept.
#include "queue/queue.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using namespace pinnace;
using store::Table;

// Octets of this process in memory.
std::size_t resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long all = 0, pages = 0;
  const int read = file ? std::fscanf(file, "%lu %lu", &all, &pages) : 0;
  if (file) std::fclose(file);
  return read == 2 ? pages * 4096 : 0;
}

// Deferred once each, half of them due already.
void fill(store::Database& db, std::uint64_t messages, std::uint64_t destinations, base::Time now) {
  store::Batch batch = db.batch();
  for (std::uint64_t i = 0; i < messages; ++i) {
    queue::Message m;
    m.id = {static_cast<std::uint64_t>(now.time_since_epoch().count()) * 4096 + i};
    m.reverse_path = fmt::format("sender-{}@sender.example", i % 997);
    m.arrived = now;
    m.size = 4096;
    m.chunks = 1;
    m.client = "client.example (192.0.2.1)";
    queue::Recipient r;
    r.address = fmt::format("recipient-{}@domain-{}.example", i, i % destinations);
    r.attempts = 1;
    r.last_attempt = now;
    r.next_attempt = now + base::Seconds(i % 2 == 0 ? -1 : 3600);
    r.host = "mx.domain.example";
    r.status = "4.4.1";
    r.reason = "mx.domain.example: cannot connect to 192.0.2.77:25: Connection refused";
    m.recipients.push_back(r);
    batch.put(Table::messages, m.id.key(), m.encode());
    batch.put(Table::schedule, m.id.key(), queue::Summary::of(m).encode());
    if (i % 5000 == 4999 || i + 1 == messages) {
      (void)db.commit_at_start(std::move(batch));
      batch = db.batch();
    }
  }
  batch.put(Table::meta, "summarized", "");
  (void)db.commit_at_start(std::move(batch));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "bench_queue FOLDER [MESSAGES] [DESTINATIONS]\n");
    return 2;
  }
  const std::uint64_t messages = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000'000;
  const std::uint64_t destinations = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1000;
  io::Loop loop;
  const base::SystemClock clock;
  auto db = store::Database::open(loop, argv[1], {});
  if (!db) {
    std::fprintf(stderr, "%s\n", db.error().detail.c_str());
    return 1;
  }
  if (const auto filled = (*db)->get(Table::meta, "summarized"); filled && !*filled) {
    fill(**db, messages, destinations, clock.now());
    fmt::print("filled; run it again to measure\n");
    return 0;
  }
  // The store's own caches are bounded and not the queue's: full before it is measured.
  (void)(*db)->scan(Table::schedule, "", [](std::string_view, std::string_view) { return true; });
  const std::size_t before = resident();
  const auto start = std::chrono::steady_clock::now();
  auto queue = queue::Queue::open(loop, **db, clock, {}, [](const std::string&) {});
  if (!queue) {
    std::fprintf(stderr, "%s\n", queue.error().detail.c_str());
    return 1;
  }
  const double took = seconds_since(start);
  const std::size_t held = resident() - before;
  const std::size_t count = (*queue)->stats().messages;
  fmt::print("{} messages, {} due: read in {:.2f} s, {:.1f} MB more, {:.1f} octets a message\n", count,
             (*queue)->stats().due, took, static_cast<double>(held) / 1e6,
             static_cast<double>(held) / static_cast<double>(count));
  loop.drop_tasks();
  return 0;
}
