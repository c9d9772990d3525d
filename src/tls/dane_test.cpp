// TLSA records against chains: the rules of RFC 7672 3.1 and RFC 7671 5, and names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/certificate_fixture.hpp"
#include "tls/verify.hpp"

namespace pinnace::tls {
namespace {

using namespace testing_certificates;
using testing::HasSubstr;

base::Time now() { return base::SystemClock().now(); }

std::string der(X509* x) {
  unsigned char* out = nullptr;
  const int size = i2d_X509(x, &out);
  std::string text(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return text;
}

std::string spki(X509* x) {
  unsigned char* out = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &out);
  std::string text(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return text;
}

dane::Tlsa tlsa(int usage, int selector, int matching, const Certificate& c) {
  dane::Tlsa r{static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector),
               static_cast<std::uint8_t>(matching), selector == 1 ? spki(c.x509.get()) : der(c.x509.get()),
               true};
  if (matching == 0) return r;
  unsigned char digest[64];
  unsigned size = 0;
  EVP_Digest(r.data.data(), r.data.size(), digest, &size, matching == 1 ? EVP_sha256() : EVP_sha512(),
             nullptr);
  r.data.assign(reinterpret_cast<char*>(digest), size);
  return r;
}

struct Pki {
  Certificate root = make({"Root", "", true});
  Certificate intermediate = make({"Intermediate", "", true}, &root);
  Certificate leaf = make({"leaf", "DNS:mx.x.test"}, &intermediate);
  Certificate expired = make({"leaf", "DNS:mx.x.test", false, -10 * kDay, -5 * kDay}, &intermediate);
  Certificate nameless = make({"mx.x.test", ""}, &intermediate);
  Certificate wild = make({"leaf", "DNS:*.x.test"}, &intermediate);
  Certificate address = make({"mx.x.test", "IP:192.0.2.1"}, &intermediate);
  Certificate named_twice = make({"mx.x.test", "DNS:mx.y.test"}, &intermediate);
  Certificate old_root = make({"Old root", "", true, -10 * kDay, -5 * kDay});
  Certificate under_old_root = make({"leaf", "DNS:mx.x.test"}, &old_root);
  Certificate old_intermediate = make({"Old intermediate", "", true, -10 * kDay, -5 * kDay}, &root);
  Certificate under_old_intermediate = make({"leaf", "DNS:mx.x.test"}, &old_intermediate);
  Certificate self_signed = make({"mx.x.test", "DNS:mx.x.test"});
  Certificate other = make({"Other", "", true});
};

// RFC 7672 3.1: every selector and matching type of both usages.
TEST(MatchTlsa, EverySelectorAndMatchingType) {
  const Pki p;
  const PeerChain chain = chain_of({&p.leaf, &p.intermediate, &p.root});
  const std::vector<std::string> names = {"x.test", "mx.x.test"};
  for (int selector = 0; selector <= 1; ++selector) {
    for (int matching = 0; matching <= 2; ++matching) {
      const auto ee = match_tlsa(chain, {tlsa(3, selector, matching, p.leaf)}, names, now());
      EXPECT_TRUE(ee.ok) << "3 " << selector << ' ' << matching << ": " << ee.reason;
      const auto ta = match_tlsa(chain, {tlsa(2, selector, matching, p.root)}, names, now());
      EXPECT_TRUE(ta.ok) << "2 " << selector << ' ' << matching << ": " << ta.reason;
      EXPECT_FALSE(match_tlsa(chain, {tlsa(3, selector, matching, p.other)}, names, now()).ok);
      EXPECT_FALSE(match_tlsa(chain, {tlsa(2, selector, matching, p.other)}, names, now()).ok);
    }
  }
}

TEST(MatchTlsa, NamesDatesAndChains) {
  const Pki p;
  const std::vector<std::string> mx = {"mx.x.test"}, dotted = {"mx.x.test."}, elsewhere = {"mx.y.test"};
  const struct {
    const char* why;
    PeerChain chain;
    std::vector<dane::Tlsa> records;
    std::vector<std::string> names;
    bool ok;
  } cases[] = {
      {"RFC 7672 3.1.1: usage 3 looks at no name",
       chain_of({&p.leaf}),
       {tlsa(3, 1, 1, p.leaf)},
       elsewhere,
       true},
      {"RFC 7672 3.1.1: nor at dates", chain_of({&p.expired}), {tlsa(3, 1, 1, p.expired)}, mx, true},
      {"usage 2: dates count",
       chain_of({&p.expired, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       false},
      {"usage 2: the name counts",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       elsewhere,
       false},
      {"a trailing dot is no part of a name",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       dotted,
       true},
      {"RFC 7672 3.2.3: a wildcard for the first label",
       chain_of({&p.wild, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       true},
      {"never the subject's CN",
       chain_of({&p.nameless, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       false},
      {"nor beside an address in the SAN",
       chain_of({&p.address, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       false},
      {"RFC 7672 3.2.3: nor beside a dNSName",
       chain_of({&p.named_twice, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       false},
      {"RFC 6125 6.4.3: a wildcard is for one label",
       chain_of({&p.wild, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       {"a.mx.x.test"},
       false},
      {"an address is no reference identifier",
       chain_of({&p.address, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       {"y.test", "192.0.2.1"},
       false},
      {"no name is not every name",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       {""},
       false},
      {"nor is a dot", chain_of({&p.leaf, &p.intermediate}), {tlsa(2, 1, 1, p.intermediate)}, {"."}, false},
      {"nor a domain every name below it",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       {".x.test"},
       false},
      {"one name of several is enough",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 1, 1, p.intermediate)},
       {"", "y.test", "mx.x.test"},
       true},
      {"usage 2: the anchor's own dates count, self-signed",
       chain_of({&p.under_old_root, &p.old_root}),
       {tlsa(2, 1, 1, p.old_root)},
       mx,
       false},
      {"usage 2: or not",
       chain_of({&p.under_old_intermediate, &p.old_intermediate}),
       {tlsa(2, 0, 1, p.old_intermediate)},
       mx,
       false},
      {"RFC 7671 5.2.3: the anchor's key alone, not in the chain",
       chain_of({&p.leaf}),
       {tlsa(2, 1, 0, p.intermediate)},
       mx,
       true},
      {"RFC 7671 5.2.2: nor is an anchor that is not above the leaf itself",
       chain_of({&p.leaf, &p.intermediate}),
       {tlsa(2, 0, 1, p.root)},
       mx,
       false},
      {"a self-signed leaf is its own end, not its anchor",
       chain_of({&p.self_signed}),
       {tlsa(2, 1, 1, p.self_signed)},
       mx,
       false},
      {"usage 3 takes a self-signed leaf",
       chain_of({&p.self_signed}),
       {tlsa(3, 0, 2, p.self_signed)},
       mx,
       true},
      {"usage 3 is the leaf, which comes first",
       chain_of({&p.intermediate, &p.leaf}),
       {tlsa(3, 1, 1, p.leaf)},
       mx,
       false},
      {"the certificates above the leaf come in any order",
       chain_of({&p.leaf, &p.root, &p.intermediate}),
       {tlsa(2, 0, 1, p.root)},
       mx,
       true},
      {"RFC 7672 3.1.2: the CA is not in the chain",
       chain_of({&p.leaf}),
       {tlsa(2, 1, 1, p.intermediate)},
       mx,
       false},
      {"RFC 7671 5.2.2: unless the record holds all of it",
       chain_of({&p.leaf}),
       {tlsa(2, 0, 0, p.intermediate)},
       mx,
       true},
      {"a CA that is merely shown",
       chain_of({&p.leaf, &p.intermediate, &p.other}),
       {tlsa(2, 1, 1, p.other)},
       mx,
       false},
      {"usage 2 never matches a leaf as itself's issuer",
       chain_of({&p.leaf}),
       {tlsa(2, 1, 1, p.leaf)},
       elsewhere,
       false},
      {"RFC 7672 3.1.3: usage 1 authenticates nothing",
       chain_of({&p.leaf}),
       {tlsa(1, 1, 1, p.leaf)},
       mx,
       false},
      {"one of several is enough",
       chain_of({&p.leaf}),
       {tlsa(3, 1, 1, p.other), tlsa(3, 1, 1, p.leaf)},
       mx,
       true},
      {"RFC 7671 9: the stronger digest alone counts",
       chain_of({&p.leaf}),
       {tlsa(3, 1, 1, p.leaf), tlsa(3, 1, 2, p.other)},
       mx,
       false},
      {"nothing presented", PeerChain(), {tlsa(3, 1, 1, p.leaf)}, mx, false},
      {"nothing published", chain_of({&p.leaf}), {}, mx, false},
  };
  for (const auto& c : cases) {
    const TlsaMatch m = match_tlsa(c.chain, c.records, c.names, now());
    EXPECT_EQ(m.ok, c.ok) << c.why << ": " << m.reason;
    EXPECT_FALSE(m.reason.empty()) << c.why;
    EXPECT_EQ(m.matched.has_value(), c.ok) << c.why;
  }
}

// RFC 6698 2.1.1: usage 3 is the leaf's, usage 2 a CA's above it.
TEST(MatchTlsa, UsagesLookAtTheirOwnPlaceInTheChain) {
  const Pki p;
  const PeerChain chain = chain_of({&p.leaf, &p.intermediate, &p.root});
  const std::vector<std::string> names = {"mx.x.test"};
  for (int selector = 0; selector <= 1; ++selector) {
    for (int matching = 0; matching <= 2; ++matching) {
      for (const Certificate* authority : {&p.intermediate, &p.root}) {
        EXPECT_FALSE(match_tlsa(chain, {tlsa(3, selector, matching, *authority)}, names, now()).ok)
            << "3 " << selector << ' ' << matching;
      }
      EXPECT_FALSE(match_tlsa(chain, {tlsa(2, selector, matching, p.leaf)}, names, now()).ok)
          << "2 " << selector << ' ' << matching;
    }
  }
}

// RFC 6698 2.1.4
TEST(MatchTlsa, FullValuesMustBeWhatTheySay) {
  const Pki p;
  dane::Tlsa garbage{3, 0, 0, "garbage", true};
  EXPECT_FALSE(well_formed(garbage));
  EXPECT_TRUE(well_formed(tlsa(3, 0, 0, p.leaf)));
  EXPECT_TRUE(well_formed(tlsa(2, 1, 0, p.root)));
  EXPECT_TRUE(well_formed(tlsa(3, 1, 1, p.leaf)));
  garbage.well_formed = false;
  EXPECT_THAT(dane::why_unusable(garbage), HasSubstr("RFC 6698 2.1.4"));
}

// RFC 6125 6.4.3, RFC 8461 4.1
TEST(NameMatches, DnsNamesOnlyAndWholeLabels) {
  const struct {
    const char* why;
    std::vector<std::string> names;
    const char* host;
    bool ok;
  } cases[] = {
      {"same", {"mx.x.test"}, "mx.x.test", true},
      {"in any case", {"MX.x.test"}, "mx.X.test", true},
      {"a trailing dot", {"mx.x.test"}, "mx.x.test.", true},
      {"another", {"mx.x.test"}, "mx2.x.test", false},
      {"the second", {"a.test", "mx.x.test"}, "mx.x.test", true},
      {"one label", {"*.x.test"}, "mx.x.test", true},
      {"two labels", {"*.x.test"}, "a.mx.x.test", false},
      {"no label", {"*.x.test"}, "x.test", false},
      {"part of a label", {"m*.x.test"}, "mx.x.test", false},
      {"not the first label", {"mx.*.test"}, "mx.x.test", false},
      {"a top-level wildcard", {"*.test"}, "x.test", false},
      {"a wildcard is no host", {"mx.x.test"}, "*.x.test", false},
      {"nothing", {}, "mx.x.test", false},
      {"no host", {"mx.x.test"}, "", false},
      {"a dot", {"mx.x.test"}, ".", false},
      {"all below a domain", {"mx.x.test"}, ".x.test", false},
      {"a trailing dot in the certificate", {"mx.x.test."}, "mx.x.test.", false},
      {"an empty label", {"mx..x.test"}, "mx..x.test", false},
      {"an address", {"192.0.2.1"}, "192.0.2.1", false},
      {"a NUL", {std::string("mx.x.test\0.evil.test", 20)}, "mx.x.test", false},
      {"RFC 6125 6.4.2: a U-label of the host",
       {"xn--bcher-kva.test"},
       "b\xc3\xbc"
       "cher.test",
       true},
      {"a U-label in the certificate",
       {"b\xc3\xbc"
        "cher.test"},
       "b\xc3\xbc"
       "cher.test",
       false},
      {"an A-label under a wildcard", {"*.x.test"}, "xn--bcher-kva.x.test", true},
      {"a wildcard within an A-label", {"xn--bcher-*.test"}, "xn--bcher-kva.test", false},
      {"two wildcards", {"*.*.test"}, "mx.x.test", false},
      {"nothing but a wildcard", {"*"}, "test", false},
  };
  for (const auto& c : cases) EXPECT_EQ(name_matches(c.names, c.host), c.ok) << c.why;
}

}  // namespace
}  // namespace pinnace::tls
