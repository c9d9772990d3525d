// What bounds an answer: what it would be too long for is left out, never let through.
#include "postfix/telling.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "postfix/domain_fixture.hpp"

namespace pinnace::postfix {
namespace {

using namespace fixture;

// socketmap_table(5): Postfix reads no longer reply.
constexpr std::size_t kMostReply = 100'000;

TEST(Telling, OfMoreDigestsThanFitHasTheFirst) {
  const Telling told = tell(domain({host("mx.x.test",
                                         [](policy::Facts& f) {
                                           policy::Rule r = rule(policy::Rule::Subject::host, "mx.x.test");
                                           for (int i = 0; i < 5'000; ++i) {
                                             r.pins.push_back(pin(i % 256));
                                             r.pins.back().sha256[1] = static_cast<std::uint8_t>(i / 256);
                                           }
                                           f.host_rule = shared(std::move(r));
                                         })}),
                            {});
  EXPECT_EQ(told.kind, Telling::Kind::ok);
  EXPECT_LT(told.text.size(), kMostReply);
  EXPECT_EQ(std::count(told.text.begin(), told.text.end(), '|'), 299);
  EXPECT_EQ(told.notes, std::vector<std::string>{"only 300 of 5000 digests are written"});
}

// A policy with a thousand names takes none from the domain's own hosts.
TEST(Telling, OfMoreNamesThanFitHasThoseOfTheHosts) {
  std::string mx = "zz.x.test";
  for (int i = 0; i < 900; ++i) mx += "\nmx: a" + std::to_string(i) + ".x.test";
  DomainKnown known =
      domain({host("zz.x.test", [&](policy::Facts& f) { f.sts = sts_policy("enforce", mx); })});
  known.sts = std::make_shared<const sts::Cached>(sts_policy("enforce", mx));
  Options options;
  options.tlsrpt = true;
  const Telling told = tell(known, options);
  EXPECT_TRUE(told.text.starts_with("secure match=zz.x.test:a0.x.test:")) << told.text;
  EXPECT_LT(told.text.size(), kMostReply);
}

// A folder that would end the attribute, or none: the certificate that was seen, not the CA's.
TEST(Telling, NamesNoFileThatPostfixCouldNotRead) {
  HostKnown pinned =
      host("mx.x.test", [](policy::Facts& f) { f.host_pins = set(pins::Scope::host, "mx.x.test"); });
  pinned.seen = {chain(octets('k'), 'c', {"PEM of the CA\n"})};
  const DomainKnown known = domain({pinned});
  for (const char* folder : {"", "anchors", "/var/lib/an chors", "/var/lib/a,b", "/var/lib/a{b}", "/a\nb"}) {
    Options options;
    options.anchors_folder = folder;
    const Telling told = tell(known, options);
    EXPECT_TRUE(told.text.starts_with("fingerprint ")) << told.text;
    EXPECT_TRUE(told.files.empty()) << folder;
  }
}

}  // namespace
}  // namespace pinnace::postfix
