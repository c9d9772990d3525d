// Every row of docs/policyd-mapping.md, and how hosts and sources become one answer: a golden file each in
// tests/vectors/postfix. PINNACE_WRITE_GOLDEN=1 writes them anew; read what changed before you commit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "postfix/domain_fixture.hpp"

namespace pinnace::postfix {
namespace {

using namespace fixture;
using policy::Facts;
using policy::Level;
using policy::Waivable;
using Subject = policy::Rule::Subject;

struct Case {
  DomainKnown known;
  Options options;
};

struct Row {
  const char* name;
  const char* why;
  Case (*make)();
};

Case of(DomainKnown known, Options options = {}) {
  options.anchors_folder = "/var/lib/pinnace/anchors";
  return {std::move(known), options};
}

DomainKnown with_sts(DomainKnown known, const std::string& mode, const std::string& mx,
                     const std::string& more = "") {
  known.sts = std::make_shared<const sts::Cached>(sts_policy(mode, mx, more));
  return known;
}

void dane_ee(Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kDaneEe}); }
void secure_mx(Facts& f) { f.mx_secure = true; }
void enforced_sts(Facts& f) { f.sts = sts_policy("enforce", "*.x.test"); }
void pinned(Facts& f) { f.host_pins = set(pins::Scope::host, f.host); }
void says_stsec(Facts& f) { f.stsec = pins::StsecRecord{f.host, kNow - 1h, kNow + 1h}; }

DomainKnown at_address(const std::function<void(Facts&)>& change = nullptr) {
  const char* literal = "[IPv6:2001:db8::1]";
  DomainKnown out = domain({host(literal, [&](Facts& f) {
    f.domain = literal, f.no_mx = true;
    if (change) change(f);
  })});
  out.domain = literal;
  return out;
}

HostKnown seen(HostKnown host, std::vector<SeenChain> chains) {
  host.seen = std::move(chains);
  return host;
}

const Row kRows[] = {
    {"nothing", "nothing is demanded: main.cf decides", [] { return of(domain({host("mx.x.test")})); }},
    {"no-mail", "a null MX",
     [] {
       DomainKnown d = domain({});
       d.kind = DomainKnown::Kind::no_mail, d.detail = "x.test takes no mail (null MX, RFC 7505)";
       return of(d);
     }},
    {"address", "an address literal: nothing is demanded of it", [] { return of(at_address()); }},
    {"address-rule-encrypt", "a rule for all domains binds an address too",
     [] {
       return of(
           at_address([](Facts& f) { f.domain_rule = shared(rule(Subject::domain, "*", Level::encrypt)); }));
     }},
    {"address-rule-pins", "a rule's pins, without SNI",
     [] {
       return of(at_address([](Facts& f) {
         policy::Rule r = rule(Subject::host, "*");
         r.pins = {pin(7)};
         f.host_rule = shared(std::move(r));
       }));
     }},
    {"address-rule-webpki", "no CA vouches for an address by which Postfix could know it",
     [] {
       return of(
           at_address([](Facts& f) { f.domain_rule = shared(rule(Subject::domain, "*", Level::webpki)); }));
     }},
    {"address-rule-dane", "an address has no TLSA records",
     [] {
       return of(
           at_address([](Facts& f) { f.domain_rule = shared(rule(Subject::domain, "*", Level::dane)); }));
     }},
    {"address-pins", "pins that a probe noted of a host at an address",
     [] { return of(at_address(pinned)); }},
    {"dns-failure", "the MX answer is forged: nothing is sent",
     [] {
       DomainKnown d = domain({});
       d.kind = DomainKnown::Kind::failure, d.detail = "the MX records of x.test are bogus\r\n(DNSSEC)";
       return of(d);
     }},
    {"dane", "every host has usable TLSA records", [] { return of(domain({host("mx.x.test", dane_ee)})); }},
    {"dane-some", "one host has TLSA records, the other nothing: Postfix does as DANE has it",
     [] { return of(domain({host("mx1.x.test", dane_ee), host("mx2.x.test", secure_mx)})); }},
    {"dane-some-and-stsec", "the other host said STSEC, which a fallback to may would not keep",
     [] {
       return of(domain(
           {host("mx1.x.test", dane_ee), host("mx2.x.test", [](Facts& f) { secure_mx(f), says_stsec(f); })}));
     }},
    {"dane-unusable", "TLSA records, none usable: TLS, unauthenticated",
     [] {
       return of(domain({host(
           "mx.x.test", [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kPkixEe}); })}));
     }},
    {"dane-and-unusable", "one host with usable TLSA records, one with unusable ones",
     [] {
       return of(domain({host("mx1.x.test", dane_ee), host("mx2.x.test", [](Facts& f) {
                           f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kPkixEe});
                         })}));
     }},
    {"dane-failure-at-one", "one host's TLSA records are bogus: Postfix passes over it too",
     [] {
       return of(
           domain({host("mx1.x.test", [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::failure); }),
                   host("mx2.x.test", dane_ee), host("mx3.x.test", secure_mx)}));
     }},
    {"dane-failure-at-all", "the only host's TLSA records are bogus",
     [] {
       return of(
           domain({host("mx.x.test", [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::failure); })}));
     }},
    {"dane-insecure-mx", "an unsigned MX answer: Postfix's dane may mean may, so the records are written out",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         f.tlsa = tlsa(Tlsa::records, {tlsa_record(3, 1, 1, 'x'), tlsa_record(3, 0, 1, 'y')});
       })}));
     }},
    {"dane-insecure-mx-sha512", "a digest that Postfix compares with none: the certificate that was seen",
     [] {
       return of(domain({seen(
           host("mx.x.test", [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {tlsa_record(3, 1, 2, 'x')}); }),
           {chain(octets('k'), 'c')})}));
     }},
    {"dane-insecure-mx-full", "a whole key in the record: its digest",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         f.tlsa = tlsa(Tlsa::records, {{dane::kDaneEe, dane::kSpki, dane::kFull, "key", true}});
       })}));
     }},
    {"dane-insecure-mx-ca", "usage 2: the anchor that was seen, and the names of RFC 7672 3.2.2",
     [] {
       return of(domain({seen(
           host("mx.x.test", [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {tlsa_record(2, 1, 1, 'a')}); }),
           {chain(octets('k'), 'c', {"PEM of the CA\n"})})}));
     }},
    {"sts", "mode enforce",
     [] { return of(with_sts(domain({host("mx.x.test", enforced_sts)}), "enforce", "*.x.test")); }},
    {"sts-several", "two hosts that a pattern covers, a third that none does; a name of the policy's own",
     [] {
       const auto sts = [](Facts& f) { f.sts = sts_policy("enforce", "*.x.test\nmx: mail.y.test"); };
       return of(
           with_sts(domain({host("mx1.x.test", sts), host("mx.a.x.test", sts), host("mx2.x.test", sts)}),
                    "enforce", "*.x.test\nmx: mail.y.test"));
     }},
    {"sts-unlisted", "no host is listed",
     [] {
       return of(
           with_sts(domain({host("mx.x.test", [](Facts& f) { f.sts = sts_policy("enforce", "*.y.test"); })}),
                    "enforce", "*.y.test"));
     }},
    {"sts-unlisted-tlsrpt", "no host is listed, and Postfix 3.10 is to report it",
     [] {
       Options o;
       o.tlsrpt = true;
       return of(
           with_sts(domain({host("mx.x.test", [](Facts& f) { f.sts = sts_policy("enforce", "mx.y.test"); })}),
                    "enforce", "mx.y.test"),
           o);
     }},
    {"sts-unlisted-pins-tlsrpt", "no host is listed, and pins bind too: not for the policy alone to say",
     [] {
       Options o;
       o.tlsrpt = true;
       return of(
           with_sts(domain({host("mx.x.test",
                                 [](Facts& f) { pinned(f), f.sts = sts_policy("enforce", "mx.y.test"); })}),
                    "enforce", "mx.y.test"),
           o);
     }},
    {"sts-testing", "mode testing demands nothing",
     [] {
       return of(
           with_sts(domain({host("mx.x.test", [](Facts& f) { f.sts = sts_policy("testing", "*.x.test"); })}),
                    "testing", "*.x.test"));
     }},
    {"sts-strategy-words", "a name that Postfix would take for \"whatever host\" is never written",
     [] {
       return of(with_sts(
           domain({host("hostname",
                        [](Facts& f) { f.sts = sts_policy("enforce", "hostname\nmx: dot-nexthop"); })}),
           "enforce", "hostname\nmx: dot-nexthop"));
     }},
    {"sts-tlsrpt", "Postfix 3.10 is told the policy; what could end a value is left out",
     [] {
       Options o;
       o.tlsrpt = true;
       return of(with_sts(domain({host("mx.x.test", enforced_sts)}), "enforce", "*.x.test",
                          "note: a } secure match=hostname { b\nodd: a=b, c  d\nother: \xc3\xa4\n"),
                 o);
     }},
    {"sts-rule-mx-tlsrpt", "a rule narrows the policy's hosts: the policy's patterns are not told",
     [] {
       Options o;
       o.tlsrpt = true;
       return of(with_sts(domain({host("mx.x.test",
                                       [](Facts& f) {
                                         enforced_sts(f);
                                         policy::Rule r = rule(Subject::domain, "x.test");
                                         r.mx = {*names::MxPattern::parse("mx.x.test")};
                                         f.domain_rule = shared(std::move(r));
                                       })}),
                          "enforce", "*.x.test\nmx: mail.y.test"),
                 o);
     }},
    {"dane-and-sts", "DANE decides; without TLSA records the policy would bind: no fallback to may",
     [] {
       return of(with_sts(domain({host("mx1.x.test", [](Facts& f) { dane_ee(f), enforced_sts(f); }),
                                  host("mx2.x.test", [](Facts& f) { secure_mx(f), enforced_sts(f); })}),
                          "enforce", "*.x.test"));
     }},
    {"dane-and-sts-insecure-mx-unseen", "both bind, and nothing was seen yet that meets both",
     [] {
       return of(with_sts(
           domain({host("mx.x.test",
                        [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {kDaneEe}), enforced_sts(f); })}),
           "enforce", "*.x.test"));
     }},
    {"dane-and-sts-insecure-mx", "both bind: the certificate that was seen to meet both",
     [] {
       return of(with_sts(
           domain({seen(
               host("mx.x.test", [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {kDaneEe}), enforced_sts(f); }),
               {chain(octets('x'), 'c')})}),
           "enforce", "*.x.test"));
     }},
    {"pins", "leaf pins, seen",
     [] { return of(domain({seen(host("mx.x.test", pinned), {chain(octets(pin(1)), 'c')})})); }},
    {"pins-unseen", "pins nobody has seen: as leaf keys; a CA's matches no leaf",
     [] { return of(domain({host("mx.x.test", pinned)})); }},
    {"pins-of-a-ca", "a pinned CA: the certificate that was seen of it, and the host's name",
     [] {
       return of(domain({seen(host("mx.x.test", pinned), {chain(octets('k'), 'c', {"PEM of the CA\n"})})}));
     }},
    {"pins-of-a-ca-and-sts", "a pinned CA that a root vouches for",
     [] {
       return of(with_sts(domain({seen(host("mx.x.test", [](Facts& f) { pinned(f), enforced_sts(f); }),
                                       {chain(octets('k'), 'c', {"PEM of the CA\n"})})}),
                          "enforce", "*.x.test"));
     }},
    {"pins-of-cas-of-two-hosts", "two hosts under two CAs: the better one's CA with its own name",
     [] {
       return of(domain({seen(host("mx1.x.test", pinned), {chain(octets('k'), 'c', {"PEM of one CA\n"})}),
                         seen(host("mx2.x.test", pinned), {chain(octets('l'), 'd', {"PEM of another\n"})})}));
     }},
    {"pins-of-cas-partly",
     "the better host stands under two CAs, the other under one: not both CAs with both names",
     [] {
       return of(domain({seen(host("mx1.x.test", pinned), {chain(octets('k'), 'c', {"PEM of one CA\n"}),
                                                           chain(octets('l'), 'd', {"PEM of another\n"})}),
                         seen(host("mx2.x.test", pinned), {chain(octets('m'), 'e', {"PEM of one CA\n"})}),
                         unknown_host("mx3.x.test")}));
     }},
    {"pins-of-one-ca", "two hosts under the same CA",
     [] {
       return of(domain({seen(host("mx1.x.test", pinned), {chain(octets('k'), 'c', {"PEM of the CA\n"})}),
                         seen(host("mx2.x.test", pinned), {chain(octets('l'), 'd', {"PEM of the CA\n"})})}));
     }},
    {"pins-two-sets-of-a-ca", "host and domain pin the same CA, among others",
     [] {
       return of(domain({seen(host("mx.x.test",
                                   [](Facts& f) {
                                     pinned(f), f.mx_secure = true;
                                     f.domain_pins = set(pins::Scope::domain, "x.test");
                                     f.domain_pins->pins = {{pin(2), kNow + 1h}, {pin(3), kNow + 1h}};
                                   }),
                              {chain(octets('k'), 'c', {"PEM of the CA\n"})})}));
     }},
    {"pins-two-sets", "host and domain pin: only what both name",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         pinned(f), f.domain_pins = set(pins::Scope::domain, "x.test");
         f.domain_pins->pins = {{pin(2), kNow + 1h}, {pin(3), kNow + 1h}};
       })}));
     }},
    {"pins-two-sets-apart", "host and domain pin, and no key is in both: never one of them dropped",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         pinned(f), f.domain_pins = set(pins::Scope::domain, "x.test");
         f.domain_pins->pins = {{pin(3), kNow + 1h}};
       })}));
     }},
    {"pins-and-dane", "pins in addition to DANE: the keys that both name",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         pinned(f), f.mx_secure = true;
         f.tlsa = tlsa(Tlsa::records, {{3, 1, 1, octets(pin(2)), true}, tlsa_record(3, 1, 1, 'x')});
       })}));
     }},
    {"pins-and-dane-apart", "pins in addition to DANE, and no key is in both",
     [] { return of(domain({host("mx.x.test", [](Facts& f) { pinned(f), dane_ee(f); })})); }},
    {"pins-and-nothing", "a host without pins beside one with: it must prove the other's key",
     [] {
       return of(domain({seen(host("mx1.x.test", pinned), {chain(octets(pin(1)), 'c')}),
                         seen(host("mx2.x.test"), {chain(octets('k'), 'd')})}));
     }},
    {"pins-expired-view", "a certificate that was seen is over",
     [] {
       SeenChain old = chain(octets('k'), 'c', {"PEM of the CA\n"});
       old.not_after = kNow;
       return of(domain({seen(host("mx.x.test", pinned), {old})}));
     }},
    {"sts-pins", "pins as fields of the policy: both bind",
     [] {
       const std::string field = "pin-sha256: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
       return of(with_sts(
           domain(
               {seen(host("mx.x.test", [&](Facts& f) { f.sts = sts_policy("enforce", "*.x.test", field); }),
                     {chain(octets(pin(1)), 'c')})}),
           "enforce", "*.x.test", field));
     }},
    {"stsec", "TLS, whoever is there",
     [] { return of(domain({host("mx1.x.test", says_stsec), host("mx2.x.test")})); }},
    {"broken-host", "one host has no address: the domain works without it, and is asked about again soon",
     [] { return of(domain({unknown_host("mx1.x.test"), host("mx2.x.test", says_stsec)})); }},
    {"broken-hosts", "no host has an address", [] { return of(domain({unknown_host("mx.x.test")})); }},
    {"broken-tlsa-insecure-mx", "a host that must not be used, and another known by what was seen of it",
     [] {
       return of(domain({host("mx1.x.test", [](Facts& f) { f.tlsa = tlsa(Tlsa::failure); }),
                         seen(host("mx2.x.test"), {chain(octets('k'), 'c')})}));
     }},
    {"rule-none", "tls = none",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         f.domain_rule = shared(rule(Subject::domain, "x.test", Level::none));
       })}));
     }},
    {"rule-may", "tls = may",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         f.domain_rule = shared(rule(Subject::domain, "x.test", Level::may));
       })}));
     }},
    {"rule-encrypt", "tls = encrypt, with a client certificate, which cannot be told",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         policy::Rule r = rule(Subject::domain, "x.test", Level::encrypt);
         r.client_certificate = policy::ClientCertificate{"partner", "00ff"};
         f.domain_rule = shared(std::move(r));
       })}));
     }},
    {"rule-dane", "tls = dane, one host without TLSA records",
     [] {
       const auto change = [](bool records) {
         return [records](Facts& f) {
           f.mx_secure = true;
           if (records) f.tlsa = tlsa(Tlsa::records, {kDaneEe});
           f.domain_rule = shared(rule(Subject::domain, "x.test", Level::dane));
         };
       };
       return of(domain({host("mx1.x.test", change(true)), host("mx2.x.test", change(false))}));
     }},
    {"rule-webpki", "tls = webpki under an unsigned MX: the domain's own name",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         f.domain_rule = shared(rule(Subject::domain, "x.test", Level::webpki));
       })}));
     }},
    {"rule-mx",
     "a host that the rule does not list has TLSA records of its own: it must not be let in by DANE",
     [] {
       const auto change = [](Facts& f) {
         dane_ee(f);
         policy::Rule r = rule(Subject::domain, "x.test");
         r.mx = {*names::MxPattern::parse("mx1.x.test")};
         f.domain_rule = shared(std::move(r));
       };
       return of(domain({host("mx1.x.test", change), host("mx2.x.test", change)}));
     }},
    {"rule-mx-unsigned",
     "the MX answer is not signed, and nothing makes a host prove that it is one of the rule's",
     [] {
       return of(domain({host("mx1.x.test", [](Facts& f) {
         policy::Rule r = rule(Subject::domain, "x.test", Level::encrypt);
         r.mx = {*names::MxPattern::parse("mx1.x.test")};
         f.domain_rule = shared(std::move(r));
       })}));
     }},
    {"rule-mx-unsigned-seen", "what was seen of the rule's hosts keeps Postfix from others",
     [] {
       return of(domain({seen(host("mx1.x.test",
                                   [](Facts& f) {
                                     policy::Rule r = rule(Subject::domain, "x.test");
                                     r.mx = {*names::MxPattern::parse("mx1.x.test")};
                                     f.domain_rule = shared(std::move(r));
                                   }),
                              {chain(octets('k'), 'c')})}));
     }},
    {"rule-mx-signed", "the same, and signed: Postfix finds no other host",
     [] {
       DomainKnown known = domain({host("mx1.x.test", [](Facts& f) {
         f.mx_secure = true;
         policy::Rule r = rule(Subject::domain, "x.test", Level::encrypt);
         r.mx = {*names::MxPattern::parse("mx1.x.test")};
         f.domain_rule = shared(std::move(r));
       })});
       known.mx_secure = true;
       return of(known);
     }},
    {"rule-pins-and-protocol", "the operator's pins, and TLS 1.3",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         policy::Rule r = rule(Subject::host, "mx.x.test");
         r.pins = {pin(7)}, r.min_protocol = policy::Protocol::tls13;
         f.host_rule = shared(std::move(r));
       })}));
     }},
    {"rule-protocol", "TLS 1.2 at least",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         policy::Rule r = rule(Subject::domain, "x.test");
         r.min_protocol = policy::Protocol::tls12;
         f.domain_rule = shared(std::move(r));
       })}));
     }},
    {"rule-protocols", "the highest that any host must have",
     [] {
       const auto change = [](policy::Protocol least) {
         return [least](Facts& f) {
           policy::Rule r = rule(Subject::host, f.host.c_str());
           r.min_protocol = least;
           f.host_rule = shared(std::move(r));
         };
       };
       return of(domain({host("mx1.x.test", change(policy::Protocol::tls12)),
                         host("mx2.x.test", change(policy::Protocol::tls13))}));
     }},
    {"rule-ignores-dane", "DANE set aside: a main.cf with dane must not enforce it still",
     [] {
       return of(domain({host(
           "mx.x.test", [](Facts& f) { dane_ee(f), f.domain_rule = shared(waiver({Waivable::dane})); })}));
     }},
    {"rule-ignores-dane-encrypt",
     "DANE set aside, and TLS demanded: not dane-only, which would enforce it still",
     [] {
       return of(domain({host("mx.x.test", [](Facts& f) {
         policy::Rule r = waiver({Waivable::dane});
         r.level = Level::encrypt;
         dane_ee(f), f.domain_rule = shared(std::move(r));
       })}));
     }},
    {"broken-host-with-pins", "a host that cannot be looked up has pins: Postfix might reach it without them",
     [] {
       HostKnown broken = unknown_host("mx1.x.test");
       broken.bound = policy::Bound::proof;
       return of(domain({std::move(broken), host("mx2.x.test", says_stsec)}));
     }},
    {"broken-host-with-stsec", "one that promised TLS: so TLS is demanded of all",
     [] {
       HostKnown broken = unknown_host("mx1.x.test");
       broken.bound = policy::Bound::tls;
       return of(domain({std::move(broken), host("mx2.x.test")}));
     }},
    {"broken-host-beside-none", "tls = none is of the host that could be looked up alone",
     [] {
       return of(domain({unknown_host("mx1.x.test"), host("mx2.x.test", [](Facts& f) {
                           f.host_rule = shared(rule(Subject::host, "mx2.x.test", Level::none));
                         })}));
     }},
    {"report-only", "nothing is demanded of Postfix, people are told",
     [] {
       Options o;
       o.report_only = true;
       return of(domain({host("mx.x.test", dane_ee)}), o);
     }},
};

std::string told(const Row& row) {
  const Case made = row.make();
  std::string out = fmt::format("# {}\n", row.why);
  for (const HostKnown& host : made.known.hosts) {
    out += fmt::format("{}: {}\n", host.host, host.decision ? host.decision->summary() : host.problem);
    for (const SeenChain& chain : host.seen) {
      out += fmt::format("  seen: certificate {:02x}.., {} until {}\n", chain.certificate_sha256[0],
                         chain.anchors.empty() ? "its own key" : "under a CA",
                         base::format_time(chain.not_after));
    }
  }
  const Telling t = tell(made.known, made.options);
  out += t.kind == Telling::Kind::ok     ? "OK " + t.text + "\n"
         : t.kind == Telling::Kind::temp ? "TEMP " + t.text + "\n"
                                         : "NOTFOUND\n";
  out += "reason: " + t.reason + "\n";
  for (const std::string& note : t.notes) out += "note: " + note + "\n";
  for (const AnchorFile& file : t.files) out += fmt::format("file {}: {}", file.path, file.pem);
  if (t.until) out += "until " + base::format_time(*t.until) + "\n";
  out += fmt::format("{}{}\n", t.demanding ? "demanding" : "not demanding",
                     t.wants_probe ? ", a probe could make it better" : "");
  return out;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Golden, EveryAnswerReadsAsItShould) {
  const std::filesystem::path folder = std::filesystem::path(PINNACE_SOURCE_DIR) / "tests/vectors/postfix";
  std::set<std::string> names;
  for (const Row& row : kRows) {
    const std::string file = std::string(row.name) + ".txt";
    ASSERT_TRUE(names.insert(file).second) << file << " is there twice";
    if (std::getenv("PINNACE_WRITE_GOLDEN")) std::ofstream(folder / file, std::ios::binary) << told(row);
    EXPECT_EQ(read(folder / file), told(row)) << file;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(names.contains(entry.path().filename().string())) << entry.path() << " belongs to no row";
  }
}

}  // namespace
}  // namespace pinnace::postfix
