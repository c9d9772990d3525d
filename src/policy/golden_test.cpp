// Every row of the table of how the sources combine, as a person would read its decision: a golden file each
// in tests/vectors/decisions. PINNACE_WRITE_GOLDEN=1 writes them anew; read what changed before you commit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "policy/facts_fixture.hpp"

namespace pinnace::policy {
namespace {

using namespace fixture;
using Tlsa = dane::HostTlsa::Kind;
using Subject = Rule::Subject;

struct Row {
  const char* name;
  const char* why;
  void (*change)(Facts&);
};

const Row kRows[] = {
    {"nothing", "nothing is known: TLS if it is offered", [](Facts&) {}},
    {"dane", "RFC 7672 2.2: usable TLSA records",
     [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kDaneEe}); }},
    {"dane-unusable", "RFC 7672 2.2: TLSA records, all unusable: TLS, nobody authenticated",
     [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kPkixEe}); }},
    {"dane-failure", "RFC 7672 2.1.2: a failed TLSA lookup is never taken for no records",
     [](Facts& f) { f.mx_secure = true, f.tlsa = tlsa(Tlsa::failure); }},
    {"dane-insecure-mx", "RFC 7672 2.2.1: DANE of a host that an unsigned answer named",
     [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {kDaneEe}); }},
    {"sts-enforce", "RFC 8461 5: enforce, the host listed",
     [](Facts& f) { f.sts = sts_policy("enforce", "mx.x.test"); }},
    {"sts-unlisted", "RFC 8461 4.1: enforce, the host not listed",
     [](Facts& f) { f.sts = sts_policy("enforce", "*.y.test"); }},
    {"sts-testing", "RFC 8461 5: testing: tested, not enforced",
     [](Facts& f) { f.sts = sts_policy("testing", "mx.y.test"); }},
    {"sts-none", "RFC 8461 5: none: as without policy",
     [](Facts& f) { f.sts = sts_policy("none", "mx.x.test"); }},
    {"sts-expired", "RFC 8461 3.2: past its max_age",
     [](Facts& f) { f.sts = sts_policy("enforce", "mx.x.test"), f.sts->fetched = kNow - 24h; }},
    {"sts-for-no-time", "max_age=0: it binds the attempt that it was fetched for",
     [](Facts& f) {
       f.sts = sts_policy("enforce", "mx.x.test"), f.sts->policy.max_age = 0s, f.sts->fetched = kNow;
     }},
    {"sts-unknown", "a forged TXT answer is never taken for no policy",
     [](Facts& f) { f.sts_failed = true, f.sts_detail = "the answer is bogus"; }},
    {"sts-pins", "pinning-protocol 4: pins as fields of an MTA-STS policy",
     [](Facts& f) {
       f.sts =
           sts_policy("enforce", "mx.x.test", "pin-sha256: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
     }},
    {"dane-and-sts", "RFC 8461 2: DANE decides, MTA-STS never saves a failed DANE",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kDaneEe}), f.sts = sts_policy("enforce", "*.y.test");
     }},
    {"dane-and-sts-insecure-mx",
     "an unsigned MX answer could name anybody's host with TLSA records: both bind",
     [](Facts& f) { f.tlsa = tlsa(Tlsa::records, {kDaneEe}), f.sts = sts_policy("enforce", "mx.x.test"); }},
    {"dane-unusable-and-sts", "no usable TLSA: MTA-STS binds",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kPkixEe}),
       f.sts = sts_policy("enforce", "mx.x.test");
     }},
    {"dane-failure-and-sts", "MTA-STS never saves a failed DANE",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::failure), f.sts = sts_policy("enforce", "mx.x.test");
     }},
    {"pins-host", "pinning-protocol 4: an enforced set of the host",
     [](Facts& f) { f.host_pins = set(pins::Scope::host, "mx.x.test"); }},
    {"pins-domain", "pinning-protocol 4: an enforced set of the domain, whatever host the DNS names",
     [](Facts& f) { f.domain_pins = set(pins::Scope::domain, "x.test"); }},
    {"pins-report", "pinning-protocol 5: MODE=REPORT",
     [](Facts& f) {
       f.host_pins = set(pins::Scope::host, "mx.x.test"), f.host_pins->mode = pins::Mode::report;
     }},
    {"pins-provisional", "pinning-protocol 3: a first contact",
     [](Facts& f) {
       f.host_pins = set(pins::Scope::host, "mx.x.test"), f.host_pins->stage = pins::Stage::provisional;
     }},
    {"pins-and-dane-and-sts", "enforced pins must match in addition to all",
     [](Facts& f) {
       f.mx_secure = true, f.host_pins = set(pins::Scope::host, "mx.x.test");
       f.tlsa = tlsa(Tlsa::records, {kDaneEe}), f.sts = sts_policy("enforce", "mx.x.test");
     }},
    {"stsec", "pinning-protocol 4: STSEC",
     [](Facts& f) { f.stsec = pins::StsecRecord{"mx.x.test", kNow - 1h, kNow + 1h}; }},
    {"requiretls", "RFC 8689 4.2.1: under a secure MX",
     [](Facts& f) { f.mx_secure = true, f.wish = Wish::require; }},
    {"requiretls-sts", "RFC 8689 4.2.1: under an unsigned MX that MTA-STS lists",
     [](Facts& f) { f.wish = Wish::require, f.sts = sts_policy("enforce", "*.x.test"); }},
    {"requiretls-unvouched", "RFC 8689 4.2.1 step 2: nothing vouches for the MX",
     [](Facts& f) { f.wish = Wish::require; }},
    {"requiretls-unsure", "a policy that could vouch for the MX cannot be had now: put off, not refused",
     [](Facts& f) {
       f.wish = Wish::require, f.sts_unsure = true, f.sts_detail = "the policy host answers with 503";
     }},
    {"tls-required-no", "RFC 8689 3: the recipient's policies are waived, a rule is not",
     [](Facts& f) {
       f.wish = Wish::waive, f.sts = sts_policy("enforce", "*.y.test"), f.tlsa = tlsa(Tlsa::failure);
       f.domain_rule = shared(rule(Subject::domain, "x.test", Level::encrypt));
     }},
    {"rule-none", "a rule that asks for no TLS",
     [](Facts& f) { f.host_rule = shared(rule(Subject::host, "mx.x.test", Level::none)); }},
    {"rule-none-and-stsec", "such a rule takes nothing away",
     [](Facts& f) {
       f.host_rule = shared(rule(Subject::host, "mx.x.test", Level::none));
       f.stsec = pins::StsecRecord{"mx.x.test", kNow - 1h, kNow + 1h};
     }},
    {"rule-encrypt", "TLS, whoever is there",
     [](Facts& f) { f.domain_rule = shared(rule(Subject::domain, "*.test", Level::encrypt)); }},
    {"rule-authenticated", "a host that nothing vouches for must bear the domain's own name",
     [](Facts& f) { f.domain_rule = shared(rule(Subject::domain, "x.test", Level::authenticated)); }},
    {"rule-authenticated-dane", "DANE authenticates too",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kDaneEe});
       f.domain_rule = shared(rule(Subject::domain, "x.test", Level::authenticated));
     }},
    {"rule-webpki-and-dane", "a rule raises the level: both bind",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::records, {kDaneEe});
       f.domain_rule = shared(rule(Subject::domain, "x.test", Level::webpki));
     }},
    {"rule-dane-without", "DANE is demanded, and there are no TLSA records",
     [](Facts& f) {
       f.mx_secure = true, f.domain_rule = shared(rule(Subject::domain, "x.test", Level::dane));
     }},
    {"rule-mx", "the host is not among the rule's mx",
     [](Facts& f) {
       Rule r = rule(Subject::domain, "x.test");
       r.mx = {*names::MxPattern::parse("mx.y.test")};
       f.domain_rule = shared(std::move(r));
     }},
    {"rule-pins-and-protocol", "the operator's pins, and TLS 1.3",
     [](Facts& f) {
       Rule r = rule(Subject::host, "mx.x.test");
       r.pins = {pin(7)}, r.min_protocol = Protocol::tls13;
       f.host_rule = shared(std::move(r));
     }},
    {"rule-client-certificate", "a certificate for a partner that asks for one",
     [](Facts& f) {
       Rule r = rule(Subject::domain, "x.test", Level::encrypt);
       r.client_certificate = ClientCertificate{"partner", "00ff"};
       f.domain_rule = shared(std::move(r));
     }},
    {"rule-ignores-dane", "a waiver of DANE for a while: then MTA-STS binds",
     [](Facts& f) {
       f.mx_secure = true, f.tlsa = tlsa(Tlsa::failure), f.sts = sts_policy("enforce", "mx.x.test");
       f.domain_rule = shared(waiver({Waivable::dane}));
     }},
    {"rule-ignores-all", "every source set aside for a while, each still tested",
     [](Facts& f) {
       f.host_pins = set(pins::Scope::host, "mx.x.test"), f.sts = sts_policy("enforce", "*.y.test");
       f.stsec = pins::StsecRecord{"mx.x.test", kNow - 1h, kNow + 1h};
       f.domain_rule = shared(waiver({Waivable::pkp, Waivable::sts, Waivable::stsec}));
     }},
    {"rule-for-a-host-ignores", "a rule for a host never sets aside what the domain says of its hosts",
     [](Facts& f) {
       f.host_pins = set(pins::Scope::host, "mx.x.test"), f.domain_pins = set(pins::Scope::domain, "x.test");
       f.sts = sts_policy("enforce", "*.y.test");
       f.host_rule = shared(waiver({Waivable::pkp, Waivable::sts}, Subject::host));
     }},
    {"rule-for-a-host-ignores-its-certificate", "the certificate of a host that the policy lists it does",
     [](Facts& f) {
       f.sts = sts_policy("enforce", "mx.x.test"),
       f.host_rule = shared(waiver({Waivable::sts}, Subject::host));
     }},
    {"rule-waiver-over", "a waiver that is over",
     [](Facts& f) {
       Rule r = waiver({Waivable::sts});
       r.waiver.until = kNow;
       f.sts = sts_policy("enforce", "*.y.test"), f.domain_rule = shared(std::move(r));
     }},
};

std::string verdict_text(const Verdict& v) {
  std::string out =
      v.usable ? "goes" : fmt::format("{} {}: {}", v.permanent ? "bounces" : "waits", v.status, v.sentence);
  for (const std::string& report : v.reports) out += "\n    reported: " + report;
  return out;
}

// The decision, and what becomes of a message in the sessions that matter.
std::string told(const Row& row) {
  Facts f = facts();
  row.change(f);
  const Decision d = decide(f);
  std::string out = fmt::format("# {}\n", row.why);
  for (const std::string& line : explained(d)) out += line + "\n";
  out += "log: policy=" + d.summary() + "\n";
  if (const Verdict v = judge_forbidden(d); !v.usable) return out + "never tried: " + verdict_text(v) + "\n";
  const Presented stranger{"CN=mx.x.test", "CN=Some CA", "KEY=", false, "192.0.2.66"};
  out += "without TLS: " + verdict_text(judge_without_tls(d, "STARTTLS is not offered", "192.0.2.66")) + "\n";
  std::vector<Finding> met(d.requirements.size(), Finding{true, ""});
  std::vector<Finding> unmet(d.requirements.size(), Finding{false, "it does not"});
  out += "a stranger: " + verdict_text(judge(d, unmet, stranger)) + "\n";
  out += "the receiver: " + verdict_text(judge(d, met, stranger)) + "\n";
  return out;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Golden, EveryRowOfTheTableReadsAsItShould) {
  const std::filesystem::path folder = std::filesystem::path(PINNACE_SOURCE_DIR) / "tests/vectors/decisions";
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
}  // namespace pinnace::policy
