// Parts of policyd, for bench/policyd.py:
//
//     bench_policyd serve PORT DOMAINS
//     bench_policyd memory DOMAINS [SHARE]
//     bench_policyd engine PORT DOMAINS NAMESERVER@PORT ANCHOR FOLDER
//
// serve: the socketmap server alone answers p0.test and so on as map "pinnace". engine: the same, with the
// engine that looks them up again. memory: what so many domains hold, of which one in SHARE has an answer of
// its own.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

#include "policyd/engine.hpp"
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

void put_all(policyd::Answers& answers, std::uint64_t domains, base::Time refresh) {
  for (std::uint64_t i = 0; i < domains; ++i) answers.put(0, domain(i), answer(domain(i), refresh));
}

policyd::ServerSettings settings_at(std::uint16_t port) {
  policyd::ServerSettings out;
  out.listen = {*io::Endpoint::parse(fmt::format("127.0.0.1:{}", port))};
  out.maps = {"pinnace"};
  return out;
}

int failed(const base::Error& error) {
  fmt::print(stderr, "{}\n", error.detail);
  return 1;
}

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

int serve(std::uint16_t port, std::uint64_t domains) {
  const base::SystemClock clock;
  policyd::Answers answers(kRoom);
  put_all(answers, domains, clock.now() + std::chrono::hours(1));
  policyd::Server server(
      settings_at(port), clock, answers,
      [](policyd::Profile, const std::string&, const policyd::Server::Tell& tell) { tell("NOTFOUND "); });
  if (const auto started = server.start(); !started) return failed(started.error());
  say("ready");
  for (std::string line; std::getline(std::cin, line);) continue;
  return 0;
}

// The engine, with the store and a resolver that asks this name server. "storm" on its input: all domains are
// due at once, and asked for; "count": what became of it so far.
int engine(std::uint16_t port, std::uint64_t domains, const std::string& name_server,
           const std::string& anchor, const std::string& folder) {
  const base::SystemClock clock;
  io::Loop loop;
  dns::Settings dns;
  dns.trust_anchor_file = anchor;
  dns.stubs = {{"test.", name_server}};
  auto resolver = dns::Resolver::create(loop, dns);
  if (!resolver) return failed(resolver.error());
  auto db = store::Database::open(loop, folder + "/store", {});
  if (!db) return failed(db.error());
  discovery::Routes routes(loop, **resolver);
  discovery::PinStore pins(**db);
  http::Fetcher fetcher(loop, tls::TrustStore::system(), http::Settings{});
  discovery::StsPolicies sts(loop, **resolver, db->get(), clock, fetcher);
  discovery::Gatherer gatherer(clock, routes, sts, &pins, 25);
  policy::Rule rule(policy::Rule::Subject::domain, *policy::NamePattern::parse("*"));
  rule.level = policy::Level::encrypt;
  gatherer.set_rules(std::make_shared<const policy::RuleBook>(*policy::RuleBook::make({rule})));
  policyd::Answers answers(kRoom);
  put_all(answers, domains, clock.now() + std::chrono::hours(1));
  policyd::EngineSettings settings;
  settings.maps = {{"pinnace", {}}};
  policyd::Engine engine({loop, clock, gatherer, 25, **db, answers, folder + "/anchors", nullptr}, settings);
  if (const auto loaded = engine.load("bench"); !loaded) return failed(loaded.error());
  policyd::Server server(settings_at(port), clock, answers,
                         [&](policyd::Profile profile, std::string name, policyd::Server::Tell tell) {
                           loop.post([&engine, profile, name = std::move(name), tell = std::move(tell)] {
                             engine.find(profile, name, tell);
                           });
                         });
  if (const auto started = server.start(); !started) return failed(started.error());
  engine.start();
  const auto storm = [&] {
    put_all(answers, domains, clock.now());
    std::string out;
    for (std::uint64_t i = 0; i < domains; ++i) {
      out.clear();
      (void)answers.find(0, domain(i), clock.now(), out);
    }
    say("storm");
  };
  const auto count = [&] {
    const policyd::EngineStats stats = engine.stats();
    std::uint64_t temporary = 0;
    for (const auto& [what, times] : stats.temporary) temporary += times;
    say(fmt::format(R"({{"refreshed": {}, "running": {}, "temporary": {}}})", stats.refreshed, stats.running,
                    temporary));
  };
  std::thread commands([&] {
    for (std::string line; std::getline(std::cin, line);) {
      if (line == "storm") loop.post(storm);
      if (line == "count") loop.post(count);
    }
    loop.post([&] { loop.stop(); });
  });
  say("ready");
  loop.run();
  loop.drop_tasks();
  commands.join();
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
    return serve(static_cast<std::uint16_t>(number(2, 8461)), number(3, 100'000));
  }
  if (argc == 7 && std::strcmp(argv[1], "engine") == 0) {
    return engine(static_cast<std::uint16_t>(number(2, 0)), number(3, 0), argv[4], argv[5], argv[6]);
  }
  if (argc > 1 && std::strcmp(argv[1], "memory") == 0) return memory(number(2, 10'000'000), number(3, 10));
  fmt::print(stderr,
             "bench_policyd serve PORT DOMAINS | memory DOMAINS [SHARE] | "
             "engine PORT DOMAINS NAMESERVER@PORT ANCHOR FOLDER\n");
  return 2;
}
