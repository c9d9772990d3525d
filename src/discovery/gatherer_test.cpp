#include "discovery/gatherer.hpp"

#include <gtest/gtest.h>

#include <set>

namespace pinnace::discovery {
namespace {

// Rules that stand where others stood in memory are others all the same.
TEST(Gatherer, EachSetOfRulesIsAVersionOfItsOwn) {
  io::Loop loop;
  const base::ManualClock clock{base::Time(base::Seconds(1'700'000'000))};
  dns::Settings settings;
  settings.stubs = {{"test.", "127.0.0.1@1"}};
  const auto resolver = dns::Resolver::create(loop, settings);
  ASSERT_TRUE(resolver) << resolver.error().detail;
  Routes routes(loop, **resolver);
  http::Fetcher fetcher(loop, tls::TrustStore::system(), {});
  StsPolicies sts(loop, **resolver, nullptr, clock, fetcher);
  Gatherer gatherer(clock, routes, sts, nullptr, 25);
  std::set<std::pair<std::uint64_t, std::uint64_t>> versions = {gatherer.version()};
  for (int i = 0; i < 10; ++i) {
    gatherer.set_rules(std::make_shared<const policy::RuleBook>());
    versions.insert(gatherer.version());
  }
  EXPECT_EQ(versions.size(), 11U);
}

}  // namespace
}  // namespace pinnace::discovery
