// The socketmap server of policyd alone, without what looks domains up, for bench/policyd.py:
//
//     bench_policyd serve PORT DOMAINS [MICROSECONDS]
//     bench_policyd memory DOMAINS [SHARE]
//
// serve: answers p0.test and so on as map "pinnace". At each line on standard input all of them are due at
// once; they are made anew as an engine would, a batch after the other, each of so much CPU; then it says how
// long that took. memory: what so many domains hold, of which one in SHARE has an answer of its own.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

#include "policyd/answers.hpp"
#include "policyd/server.hpp"

namespace {

using namespace pinnace;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kRoom = std::size_t{4} << 30;
constexpr std::size_t kBatch = 64;

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

// Octets of this process in memory.
std::size_t resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long all = 0, pages = 0;
  const int read = file ? std::fscanf(file, "%lu %lu", &all, &pages) : 0;
  if (file) std::fclose(file);
  return read == 2 ? pages * 4096 : 0;
}

std::string domain(std::uint64_t number) { return fmt::format("p{}.test", number); }

policyd::Answer answer(const std::string& of, base::Time refresh) {
  return {fmt::format("OK secure match=mx.{} servername=hostname", of), refresh,
          refresh + std::chrono::hours(24), false};
}

// All are due at once: what an engine does then, with a lookup's work for each.
void storm(policyd::Answers& answers, std::uint64_t domains, base::Time due, std::chrono::microseconds work) {
  std::string out;
  for (std::uint64_t i = 0; i < domains; ++i) {
    answers.put(0, domain(i), answer(domain(i), due));
    out.clear();
    (void)answers.find(0, domain(i), due, out);
  }
  std::puts("storm");
  std::fflush(stdout);
  const auto start = Steady::now();
  std::uint64_t refreshed = 0;
  for (;;) {
    const auto batch = answers.due(due, kBatch);
    if (batch.empty()) break;
    for (const auto& one : batch) {
      const auto end = Steady::now() + work;
      while (Steady::now() < end) continue;
      answers.put(one.profile, one.domain, answer(one.domain, due + std::chrono::hours(1)));
      ++refreshed;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the loop has other work
  }
  fmt::print("{{\"refreshed\": {}, \"seconds\": {:.2f}}}\n", refreshed, seconds_since(start));
  std::fflush(stdout);
}

int serve(std::uint16_t port, std::uint64_t domains, std::chrono::microseconds work) {
  const base::SystemClock clock;
  policyd::Answers answers(kRoom);
  for (std::uint64_t i = 0; i < domains; ++i) {
    answers.put(0, domain(i), answer(domain(i), clock.now() + std::chrono::hours(1)));
  }
  policyd::ServerSettings settings;
  settings.listen = {*io::Endpoint::parse(fmt::format("127.0.0.1:{}", port))};
  settings.maps = {"pinnace"};
  policyd::Server server(
      settings, clock, answers,
      [](policyd::Profile, const std::string&, const policyd::Server::Tell& tell) { tell("NOTFOUND "); });
  if (const auto started = server.start(); !started) {
    fmt::print(stderr, "{}\n", started.error().detail);
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) storm(answers, domains, clock.now(), work);
  return 0;
}

int memory(std::uint64_t domains, std::uint64_t share) {
  const base::Time now = base::SystemClock().now();
  const std::size_t before = resident();
  const auto start = Steady::now();
  policyd::Answers answers(kRoom);
  for (std::uint64_t i = 0; i < domains; ++i) {
    const std::string name = fmt::format("domain-{}.example.org", i * 7919 % domains);
    const std::string of = i % share == 0 ? "mx." + name : fmt::format("mx{}.provider.example.net", i % 1000);
    answers.put(0, name,
                {"OK secure match=" + of + " servername=hostname", now + base::Seconds(i % 3600),
                 now + std::chrono::hours(24), i % 10 == 0});
  }
  fmt::print(
      "{{\"domains\": {}, \"gb\": {:.3f}, \"told_gb\": {:.3f}, \"evicted\": {}, \"seconds\": {:.1f}}}\n",
      answers.size(), static_cast<double>(resident() - before) / 1e9,
      static_cast<double>(answers.octets()) / 1e9, answers.evicted(), seconds_since(start));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, std::uint64_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  if (argc > 1 && std::strcmp(argv[1], "serve") == 0) {
    return serve(static_cast<std::uint16_t>(number(2, 8461)), number(3, 100'000),
                 std::chrono::microseconds(number(4, 100)));
  }
  if (argc > 1 && std::strcmp(argv[1], "memory") == 0) return memory(number(2, 10'000'000), number(3, 10));
  fmt::print(stderr, "bench_policyd serve PORT DOMAINS [MICROSECONDS] | memory DOMAINS [SHARE]\n");
  return 2;
}
