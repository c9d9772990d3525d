// Facts in, lines out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/report.hpp"
#include "policy/facts_fixture.hpp"
#include "sts/served.hpp"

namespace pinnace::check {
namespace {

using namespace std::chrono_literals;
using policy::fixture::kDaneEe;
using policy::fixture::kNow;
using policy::fixture::kPkixEe;
using testing::HasSubstr;

delivery::Probed unreachable(const char* address, const char* why) {
  delivery::Probed out;
  out.address = *io::IpAddress::parse(address);
  out.unreachable = why;
  return out;
}

// A domain whose one host is good: a trusted CA's certificate, pins and STSEC; DNSSEC.
struct World {
  World() {
    domain.domain = "x.test";
    domain.now = kNow;
    domain.mx.kind = dns::MailHosts::Kind::hosts;
    domain.mx.security = dns::Security::secure;
    domain.mx.hosts = {"mx.x.test"};
    domain.tlsrpt.declared = true;
    domain.tlsrpt.parsed.txt = tlsrpt::Txt{{"mailto:r@x.test"}, {}};
    facts.mx_secure = true;
    host.host = "mx.x.test";
    host.addresses.kind = dns::Addresses::Kind::found;
    host.addresses.security = dns::Security::secure;
    seen.address = *io::IpAddress::parse("192.0.2.1");
    seen.version = "TLSv1.3";
    seen.cipher = "TLS_AES_256_GCM_SHA384";
    seen.leaf = {"CN=mx.x.test", "CN=CA", {"mx.x.test"}, kNow + 60 * 24h, "ab12", true, ""};
    seen.verified_by = "webpki";
    seen.pins =
        delivery::PinsSeen{pins::Advert{{{policy::fixture::pin(1), {}}, {policy::fixture::pin(2), {}}},
                                        std::chrono::days(60),
                                        pins::Scope::host,
                                        pins::Mode::enforce,
                                        ""},
                           {},
                           "",
                           true};
    seen.stsec = delivery::StsecSeen{pins::Stsec{std::chrono::days(365)}, ""};
    seen.offers_requiretls = true;
  }

  void tlsa(std::vector<dane::Tlsa> records) {
    facts.tlsa = policy::fixture::tlsa(dane::HostTlsa::Kind::records, std::move(records));
    for (const auto& r : facts.tlsa.records) seen.tlsa.push_back({r, dane::why_unusable(r), false});
  }
  void sts(const std::string& mode, const std::string& mx = "mx.x.test", const std::string& more = "") {
    facts.sts = policy::fixture::sts_policy(mode, mx, more);
    domain.sts.policy = facts.sts;
    domain.sts.txt.declared = true;
    domain.sts.txt.parsed.txt = sts::Txt{"1", {}};
  }
  void no_tls(const char* why, bool broken = false) {
    seen.version.clear();
    seen.no_tls = why;
    seen.tls_broken = broken;
    seen.pins.reset();
    seen.stsec.reset();
  }
  void self_signed() {
    seen.leaf.issuer = seen.leaf.subject;
    seen.leaf.webpki_problem = "self-signed certificate";
    seen.verified_by = "nothing";
    seen.pins->authenticated = false;
  }
  void expired() {
    seen.leaf.not_after = kNow - 24h;
    seen.leaf.webpki_problem = "certificate has expired";
    seen.pins->authenticated = false;
  }

  // The findings and the verdict as a session has them, by the functions that a delivery uses.
  DomainReport report() {
    host.tlsa = facts.tlsa;
    facts.sts_failed = domain.sts.unknown;
    host.decision = policy::decide(facts);
    for (const policy::Requirement& r : host.decision.requirements) {
      const bool matched =
          std::any_of(seen.tlsa.begin(), seen.tlsa.end(), [](const auto& t) { return t.matches; });
      const bool met = r.demand == policy::Demand::dane     ? matched
                       : r.demand == policy::Demand::webpki ? seen.leaf.webpki_problem.empty()
                       : r.demand == policy::Demand::unmet  ? false
                       : r.demand == policy::Demand::pins   ? false
                                                            : true;
      if (seen.no_tls.empty()) seen.findings.push_back({met, met ? "" : "it does not"});
    }
    seen.verdict = policy::judge_forbidden(host.decision);
    if (seen.verdict.usable && !seen.no_tls.empty()) {
      seen.verdict = policy::judge_without_tls(host.decision, seen.no_tls, "192.0.2.1");
    } else if (seen.verdict.usable) {
      seen.verdict = policy::judge(host.decision, seen.findings, {});
    }
    seen.usable = seen.unreachable.empty() && seen.verdict.usable;
    if (host.no_address.empty()) host.probed = {seen};
    if (domain.mx.kind == dns::MailHosts::Kind::hosts) domain.hosts.insert(domain.hosts.begin(), host);
    return check::report(domain);
  }

  policy::Facts facts = policy::fixture::facts();
  DomainFacts domain;
  HostFacts host;
  delivery::Probed seen;
};

std::vector<Line> all_lines(const DomainReport& report) {
  std::vector<Line> out = report.lines;
  for (const auto& h : report.hosts) {
    out.insert(out.end(), h.lines.begin(), h.lines.end());
    for (const auto& a : h.addresses) out.insert(out.end(), a.lines.begin(), a.lines.end());
  }
  return out;
}

std::string text_of(const DomainReport& report) {
  std::string out = report.summary + "\n";
  for (const Line& l : all_lines(report))
    out += std::string(to_string(l.item)) + " " + std::string(to_string(l.verdict)) + ": " + l.text + " -> " +
           l.remedy + "\n";
  return out;
}

// What holds whatever was found.
void expect_sound(const DomainReport& report, const char* why) {
  for (const Line& line : all_lines(report)) {
    EXPECT_EQ(line.verdict == Verdict::good, line.remedy.empty()) << why << ": " << line.text;
    EXPECT_FALSE(line.text.empty()) << why << ": " << to_string(line.item);
  }
  bool any = report.hosts.empty();
  for (const auto& h : report.hosts) {
    for (const auto& a : h.addresses) {
      const bool refused = std::any_of(a.lines.begin(), a.lines.end(),
                                       [](const Line& l) { return l.verdict > Verdict::warning; });
      EXPECT_EQ(a.usable, !refused) << why;
      any = any || a.usable;
    }
  }
  if (!any) EXPECT_GE(report.verdict, Verdict::would_defer) << why;
}

struct Case {
  const char* why;
  std::function<void(World&)> change;
  Verdict domain;  // of the whole
  Item item;       // the line in question, its verdict, and what its text and remedy hold
  Verdict verdict;
  const char* text;
  const char* remedy;
};

void expect(const Case& c) {
  World world;
  c.change(world);
  const DomainReport report = world.report();
  expect_sound(report, c.why);
  EXPECT_EQ(report.verdict, c.domain) << c.why << "\n" << text_of(report);
  const auto lines = all_lines(report);
  const bool found = std::any_of(lines.begin(), lines.end(), [&](const Line& l) {
    return l.item == c.item && l.verdict == c.verdict && l.text.find(c.text) != std::string::npos &&
           l.remedy.find(c.remedy) != std::string::npos;
  });
  EXPECT_TRUE(found) << c.why << "\n" << text_of(report);
}

TEST(Check, AGoodDomainHasNothingToDoButOptions) {
  World world;
  const DomainReport report = world.report();
  expect_sound(report, "good");
  EXPECT_EQ(report.verdict, Verdict::note) << text_of(report);
  EXPECT_EQ(report.summary, "mail goes to mx.x.test over TLSv1.3, authenticated by a trusted CA");
  World all;
  all.tlsa({kDaneEe});
  all.seen.tlsa[0].matches = true;
  all.sts("enforce");
  const DomainReport perfect = all.report();
  EXPECT_EQ(perfect.verdict, Verdict::good) << text_of(perfect);
}

constexpr auto kGood = Verdict::good, kNote = Verdict::note, kWarning = Verdict::warning,
               kDefer = Verdict::would_defer, kBounce = Verdict::would_bounce;

TEST(Check, WhereMailGoes) {
  using Kind = dns::MailHosts::Kind;
  const Case cases[] = {
      {"signed", [](World&) {}, kNote, Item::mx, kGood, "mx.x.test; signed", ""},
      {"not signed", [](World& w) { w.domain.mx.security = dns::Security::insecure; }, kNote, Item::mx, kNote,
       "not signed", "DNSSEC"},
      {"RFC 5321 5.1: no MX", [](World& w) { w.domain.mx.implicit = true; }, kNote, Item::mx, kNote,
       "own address", "Publish an MX record"},
      {"RFC 7505", [](World& w) { w.domain.mx.kind = Kind::null_mx; }, kNote, Item::mx, kNote, "null MX",
       "Nothing, if that is meant"},
      {"NXDOMAIN",
       [](World& w) {
         w.domain.mx.kind = Kind::no_domain;
         w.domain.mx.detail = "does not exist";
       },
       kBounce, Item::mx, kBounce, "does not exist", "spelling"},
      {"SERVFAIL",
       [](World& w) {
         w.domain.mx.kind = Kind::failure;
         w.domain.mx.detail = "rcode 2";
       },
       kDefer, Item::mx, kDefer, "rcode 2", "each name server of x.test"},
      {"bogus",
       [](World& w) {
         w.domain.mx.kind = Kind::failure;
         w.domain.mx.security = dns::Security::bogus;
         w.domain.mx.detail = "DNSSEC validation failed";
       },
       kDefer, Item::mx, kDefer, "DNSSEC", "delv x.test MX"},
      {"a host without address", [](World& w) { w.host.no_address = "no address"; }, kDefer, Item::address,
       kDefer, "no address", "Publish an A or AAAA record for mx.x.test"},
      {"RFC 5321 5.1: neither MX nor address",
       [](World& w) {
         w.host.no_address = "no address";
         w.domain.mx.implicit = true;
       },
       kBounce, Item::address, kBounce, "the domain has no MX record", "the null MX"},
      {"its lookup fails",
       [](World& w) {
         w.host.no_address = "no answer";
         w.host.lookup_failed = true;
       },
       kDefer, Item::address, kDefer, "no answer", "each name server of mx.x.test"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, Sessions) {
  const Case cases[] = {
      {"nobody there",
       [](World& w) { w.seen = unreachable("192.0.2.1", "cannot connect: Connection refused"); }, kDefer,
       Item::connection, kDefer, "Connection refused", "nc 192.0.2.1 25"},
      {"the server refuses us",
       [](World& w) {
         w.seen = unreachable("192.0.2.1", "554 no");
         w.seen.refused = true;
       },
       kDefer, Item::connection, kDefer, "554 no", "The log of mx.x.test"},
      {"no STARTTLS, and nothing asks for it", [](World& w) { w.no_tls("STARTTLS is not offered"); },
       kWarning, Item::tls, kWarning, "mail goes there in the clear", "Turn STARTTLS on at mx.x.test"},
      {"no STARTTLS under TLSA",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.no_tls("STARTTLS is not offered");
       },
       kDefer, Item::tls, kDefer, "TLS is a must: dane", "Turn STARTTLS on"},
      {"RFC 7672 2.2: nor under unusable ones",
       [](World& w) {
         w.tlsa({kPkixEe});
         w.no_tls("STARTTLS is not offered");
       },
       kDefer, Item::tls, kDefer, "TLS is a must: dane", "Turn STARTTLS on"},
      {"no STARTTLS under a policy that is only tested",
       [](World& w) {
         w.sts("testing");
         w.no_tls("STARTTLS is not offered");
       },
       kWarning, Item::tls, kWarning, "in the clear", "Turn STARTTLS on"},
      {"the handshake fails", [](World& w) { w.no_tls("wrong version", true); }, kWarning, Item::tls,
       kWarning, "wrong version", "openssl s_client -starttls smtp -connect 192.0.2.1:25"},
      {"CVE-2021-38371: replies are injected",
       [](World& w) {
         w.no_tls("somebody may be injecting replies", true);
         w.seen.unreachable = w.seen.no_tls;
       },
       kDefer, Item::tls, kDefer, "injecting", "somebody in between"},
      {"pinning-protocol 1: pins before TLS", [](World& w) { w.seen.before_tls = {"PKP"}; }, kWarning,
       Item::pkp, kWarning, "PKP is said before TLS", "inside TLS only"},
      {"REQUIRETLS", [](World& w) { w.seen.offers_requiretls = false; }, kNote, Item::requiretls, kNote,
       "not offered", "RFC 8689"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, Certificates) {
  const Case cases[] = {
      {"good", [](World&) {}, kNote, Item::certificate, kGood,
       "mx.x.test, of CN=CA, until 2024-01-13 (60 days)", ""},
      {"of many names the host's is told", [](World& w) { w.seen.leaf.dns_names.assign(100, "y.test"); },
       kNote, Item::certificate, kGood, "mx.x.test and 99 more, of CN=CA", ""},
      {"fourteen days are enough", [](World& w) { w.seen.leaf.not_after = kNow + 14 * 24h; }, kNote,
       Item::certificate, kGood, "(14 days)", ""},
      {"thirteen are not", [](World& w) { w.seen.leaf.not_after = kNow + 14 * 24h - 1s; }, kWarning,
       Item::certificate, kWarning, "(13 days): it ends soon", "Renew it"},
      {"RFC 7671 5.1: usage 3 alone looks at no date",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.seen.tlsa[0].matches = true;
         w.seen.leaf.not_after = kNow + 1h;
       },
       kNote, Item::certificate, kGood, "(0 days)", ""},
      {"but MTA-STS beside it does",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.seen.tlsa[0].matches = true;
         w.sts("enforce");
         w.seen.leaf.not_after = kNow + 1h;
       },
       kWarning, Item::certificate, kWarning, "it ends soon", "Renew it"},
      {"expired", [](World& w) { w.expired(); }, kWarning, Item::certificate, kWarning,
       "it ended on 2023-11-13", "Renew it"},
      {"expired under usage 3",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.seen.tlsa[0].matches = true;
         w.expired();
         w.seen.pins->authenticated = true;
       },
       kNote, Item::certificate, kNote, "it ended on 2023-11-13; DANE decides", "For the others: renew it"},
      {"self-signed", [](World& w) { w.self_signed(); }, kWarning, Item::certificate, kWarning, "self-signed",
       "Get one of a trusted CA for mx.x.test"},
      {"another name",
       [](World& w) {
         w.seen.leaf.dns_names = {"a.test", "b.test", "c.test", "d.test"};
         w.seen.leaf.names_host = false;
         w.seen.leaf.webpki_problem = "hostname mismatch";
       },
       kWarning, Item::certificate, kWarning,
       "it does not name mx.x.test but a.test, b.test, c.test and 1 more", "mx.x.test among its dNSNames"},
      {"no intermediate",
       [](World& w) { w.seen.leaf.webpki_problem = "unable to get local issuer certificate"; }, kWarning,
       Item::certificate, kWarning, "unable to get local issuer", "intermediate"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, Dane) {
  using Kind = dane::HostTlsa::Kind;
  const Case cases[] = {
      {"none", [](World& w) { w.facts.tlsa.kind = Kind::none; }, kNote, Item::dane, kNote, "no TLSA records",
       "Publish _25._tcp.mx.x.test. TLSA 3 1 1 ab12"},
      {"RFC 7672 2.2.2: the address is not signed",
       [](World& w) { w.host.addresses.security = dns::Security::insecure; }, kNote, Item::dane, kNote,
       "not signed", "Sign the zone of mx.x.test with DNSSEC"},
      {"a match",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.seen.tlsa[0].matches = true;
       },
       kNote, Item::dane, kGood, "of mx.x.test matches", ""},
      {"RFC 7671 8.1: the next key's record beside",
       [](World& w) {
         w.tlsa({kDaneEe, kDaneEe});
         w.seen.tlsa[1].matches = true;
       },
       kNote, Item::dane, kGood, "matches (2 records)", ""},
      {"an unusable one beside",
       [](World& w) {
         w.tlsa({kDaneEe, kPkixEe});
         w.seen.tlsa[0].matches = true;
       },
       kNote, Item::dane, kNote, "RFC 7672 3.1.3", "Take these records away"},
      {"no match", [](World& w) { w.tlsa({kDaneEe}); }, kDefer, Item::dane, kDefer,
       "1 usable TLSA record of mx.x.test, and no match: it does not",
       "publish _25._tcp.mx.x.test. TLSA 3 1 1 ab12"},
      {"no match, waived by a rule",
       [](World& w) {
         w.tlsa({kDaneEe});
         w.facts.domain_rule = policy::fixture::shared(policy::fixture::waiver({policy::Waivable::dane}));
       },
       kWarning, Item::dane, kWarning, "no match", "If this is its key"},
      {"all unusable", [](World& w) { w.tlsa({kPkixEe}); }, kWarning, Item::dane, kWarning,
       "no TLSA record is usable", "in their place"},
      {"RFC 7672 2.1.2: not to be had", [](World& w) { w.facts.tlsa = policy::fixture::tlsa(Kind::failure); },
       kDefer, Item::dane, kDefer, "cannot be had: detail", "delv _25._tcp.mx.x.test TLSA"},
      {"nor without TLS",
       [](World& w) {
         w.facts.tlsa = policy::fixture::tlsa(Kind::failure);
         w.no_tls("STARTTLS is not offered");
       },
       kDefer, Item::dane, kDefer, "cannot be had: detail", "delv"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, MtaSts) {
  const auto declared = [](World& w) {
    w.domain.sts.txt.declared = true;
    w.domain.sts.txt.parsed.txt = sts::Txt{"1", {}};
  };
  const Case cases[] = {
      {"none", [](World&) {}, kNote, Item::sts, kNote, "no policy", "Publish one"},
      {"an invalid record",
       [](World& w) {
         w.domain.sts.txt.declared = true;
         w.domain.sts.txt.parsed.problems = {"RFC 8461 3.1: no id"};
       },
       kWarning, Item::sts, kWarning, "RFC 8461 3.1: no id", "exactly one TXT record at _mta-sts.x.test"},
      {"the record cannot be looked up", [](World& w) { w.domain.sts.txt.failure = "rcode 2"; }, kWarning,
       Item::sts, kWarning, "rcode 2", "_mta-sts.x.test"},
      {"bogus: no host may be used",
       [](World& w) {
         w.domain.sts.txt.failure = "bogus";
         w.domain.sts.unknown = true;
       },
       kDefer, Item::sts, kDefer, "cannot be said: bogus", "delv _mta-sts.x.test TXT"},
      {"the fetch fails",
       [&](World& w) {
         declared(w);
         w.domain.sts.problem = sts::kFetchError;
         w.domain.sts.detail = "status 404";
       },
       kWarning, Item::sts, kWarning, "status 404", "https://mta-sts.x.test/.well-known/mta-sts.txt"},
      {"its certificate",
       [&](World& w) {
         declared(w);
         w.domain.sts.problem = sts::kWebpkiInvalid;
         w.domain.sts.detail = "self-signed";
       },
       kWarning, Item::sts, kWarning, "self-signed", "Give mta-sts.x.test a certificate"},
      {"its grammar",
       [&](World& w) {
         declared(w);
         w.domain.sts.problem = sts::kInvalid;
         w.domain.sts.detail = "no mode";
       },
       kWarning, Item::sts, kWarning, "no mode", "lint sts-policy"},
      {"enforce", [](World& w) { w.sts("enforce"); }, kNote, Item::sts, kGood,
       "mode enforce, max_age 1d, id 1", ""},
      {"and the host", [](World& w) { w.sts("enforce"); }, kNote, Item::sts, kGood, "the policy lists it",
       ""},
      {"testing", [](World& w) { w.sts("testing"); }, kWarning, Item::sts, kWarning, "do not enforce",
       "mode: enforce"},
      {"mode none", [](World& w) { w.sts("none"); }, kNote, Item::sts, kNote, "asks for nothing", "Nothing"},
      {"a short life",
       [](World& w) {
         w.sts("enforce");
         w.domain.sts.policy->policy.max_age = w.facts.sts->policy.max_age = 24h - 1s;
         w.domain.sts.policy->fetched = w.facts.sts->fetched = kNow;
       },
       kWarning, Item::sts, kWarning, "forgets it within a day", "1209600"},
      {"RFC 8461 4.1: not listed", [](World& w) { w.sts("enforce", "mx.y.test"); }, kDefer, Item::sts, kDefer,
       "does not list mx.x.test", "mx: mx.x.test"},
      {"not listed, testing", [](World& w) { w.sts("testing", "mx.y.test"); }, kWarning, Item::sts, kWarning,
       "does not list mx.x.test (tested", "mx: mx.x.test"},
      {"RFC 8461 4.2: no valid certificate",
       [](World& w) {
         w.sts("enforce");
         w.self_signed();
       },
       kDefer, Item::sts, kDefer, "no trusted CA vouches for mx.x.test", "Get a certificate"},
      {"RFC 8461 2: DANE decides",
       [](World& w) {
         w.sts("enforce");
         w.self_signed();
         w.tlsa({kDaneEe});
         w.seen.tlsa[0].matches = true;
       },
       kWarning, Item::sts, kWarning, "no trusted CA vouches for mx.x.test", "Get a certificate"},
      {"without TLS",
       [](World& w) {
         w.sts("enforce");
         w.no_tls("STARTTLS is not offered");
       },
       kDefer, Item::tls, kDefer, "TLS is a must: sts", "Turn STARTTLS on"},
      {"pinning-protocol 4: its pins",
       [](World& w) {
         w.sts("enforce", "mx.x.test", "pin-sha256: d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=\n");
       },
       kDefer, Item::sts, kDefer, "the pins in the policy do not match", "pin-sha256"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, PinsAndStsec) {
  const Case cases[] = {
      {"noted", [](World&) {}, kNote, Item::pkp, kGood, "2 pins for 60d, of this host", ""},
      {"none", [](World& w) { w.seen.pins.reset(); }, kNote, Item::pkp, kNote, "none advertised",
       "pinnace gate"},
      {"not valid",
       [](World& w) {
         w.seen.pins->advert.reset();
         w.seen.pins->problems = {"MAX-AGE twice"};
       },
       kWarning, Item::pkp, kWarning, "MAX-AGE twice", "lint pkp"},
      {"RFC 7469 4.3: no backup", [](World& w) { w.seen.pins->not_noted = "there is no backup"; }, kWarning,
       Item::pkp, kWarning, "does not note them: there is no backup", "backup key"},
      {"provisional", [](World& w) { w.seen.pins->authenticated = false; }, kNote, Item::pkp, kNote,
       "only after several sessions", "trusted CA"},
      {"MODE=REPORT", [](World& w) { w.seen.pins->advert->mode = pins::Mode::report; }, kNote, Item::pkp,
       kNote, "MODE=REPORT", "MODE=ENFORCE"},
      {"withdrawn", [](World& w) { w.seen.pins->advert->max_age = 0s; }, kNote, Item::pkp, kNote,
       "takes its pins back", "Nothing"},
      {"STSEC", [](World&) {}, kNote, Item::stsec, kGood, "for 365d", ""},
      {"STSEC not valid", [](World& w) { w.seen.stsec = delivery::StsecSeen{std::nullopt, "no MAX-AGE"}; },
       kWarning, Item::stsec, kWarning, "no MAX-AGE", "STSEC MAX-AGE="},
      {"STSEC taken back", [](World& w) { w.seen.stsec->stsec->max_age = 0s; }, kNote, Item::stsec, kNote,
       "takes its promise back", "Nothing"},
  };
  for (const Case& c : cases) expect(c);
}

TEST(Check, WhatObligesNobody) {
  const auto bare = [](World& w) {
    w.seen.pins.reset();
    w.seen.stsec.reset();
  };
  const Case cases[] = {
      {"nothing declared", bare, kWarning, Item::protection, kWarning,
       "nothing obliges a sender to use TLS with mx.x.test", "Declare it"},
      {"a policy that is only tested",
       [&](World& w) {
         bare(w);
         w.sts("testing");
       },
       kWarning, Item::protection, kWarning, "nothing obliges", "Declare it"},
      {"no TLSRPT", [](World& w) { w.domain.tlsrpt = {}; }, kNote, Item::tlsrpt, kNote, "no record",
       "_smtp._tls.x.test TXT \"v=TLSRPTv1; rua=mailto:tls-reports@x.test\""},
      {"RFC 8460 3: not valid",
       [](World& w) {
         w.domain.tlsrpt.parsed.txt.reset();
         w.domain.tlsrpt.parsed.problems = {"RFC 8460 3: no rua"};
       },
       kWarning, Item::tlsrpt, kWarning, "RFC 8460 3: no rua", "_smtp._tls.x.test"},
      {"TLSRPT", [](World&) {}, kNote, Item::tlsrpt, kGood, "reports to mailto:r@x.test", ""},
  };
  for (const Case& c : cases) expect(c);
  // Each of these obliges.
  const std::function<void(World&)> declared[] = {
      [](World& w) { w.sts("enforce"); },
      [](World& w) {
        w.tlsa({kDaneEe});
        w.seen.tlsa[0].matches = true;
      },
      [](World& w) { w.seen.stsec = delivery::StsecSeen{pins::Stsec{1h}, ""}; },
      [](World& w) { w.no_tls("STARTTLS is not offered"); },  // the line on TLS says so
  };
  for (const auto& change : declared) {
    World world;
    bare(world);
    change(world);
    for (const Line& l : world.report().lines) EXPECT_NE(l.item, Item::protection) << l.text;
  }
}

TEST(Check, TheOperatorsOwnRules) {
  const auto rule = [](policy::Level level) {
    return policy::fixture::shared(policy::fixture::rule(policy::Rule::Subject::domain, "x.test", level));
  };
  const Case cases[] = {
      {"met", [&](World& w) { w.facts.domain_rule = rule(policy::Level::webpki); }, kNote, Item::tls, kGood,
       "TLSv1.3", ""},
      {"not met",
       [&](World& w) {
         w.facts.domain_rule = rule(policy::Level::webpki);
         w.self_signed();
       },
       kDefer, Item::policy, kDefer, "demands tls = webpki", "pinnace rule test x.test mx.x.test"},
      {"cannot be met", [&](World& w) { w.facts.domain_rule = rule(policy::Level::dane); }, kDefer,
       Item::policy, kDefer, "demands tls = dane", "pinnace rule test x.test mx.x.test"},
  };
  for (const Case& c : cases) expect(c);
}

// Some hosts take mail and others would be refused: a warning; none does: it would wait.
TEST(Check, OneUsableHostIsEnough) {
  World bad;
  bad.host.host = "mx2.x.test";
  bad.tlsa({kDaneEe});
  (void)bad.report();
  World world;
  world.domain.mx.hosts.emplace_back("mx2.x.test");
  world.domain.hosts = {bad.domain.hosts.front()};
  const DomainReport some = world.report();
  EXPECT_EQ(some.verdict, kWarning) << text_of(some);
  EXPECT_EQ(some.hosts[0].verdict, kNote);
  EXPECT_EQ(some.hosts[1].verdict, kDefer);
  EXPECT_THAT(some.summary, HasSubstr("mail goes to mx.x.test"));
  world.domain.hosts.erase(world.domain.hosts.begin());
  const DomainReport none = report(world.domain);
  EXPECT_EQ(none.verdict, kDefer);
  EXPECT_EQ(none.summary, "no host can be used (mx2.x.test: DANE)");
}

TEST(Check, OneUsableAddressOfAHostIsEnough) {
  World world;
  (void)world.report();
  const delivery::Probed dead = unreachable("2001:db8::1", "no route");
  world.domain.hosts[0].probed.insert(world.domain.hosts[0].probed.begin(), dead);
  const DomainReport some = report(world.domain);
  EXPECT_EQ(some.verdict, kWarning);
  EXPECT_EQ(some.hosts[0].verdict, kWarning);
  EXPECT_FALSE(some.hosts[0].addresses[0].usable);
  EXPECT_TRUE(some.hosts[0].addresses[1].usable);
}

}  // namespace
}  // namespace pinnace::check
