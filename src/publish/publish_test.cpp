#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "dane/tlsa.hpp"
#include "names/txt_strings.hpp"
#include "publish/javascript.hpp"
#include "publish/nginx.hpp"
#include "publish/nsupdate.hpp"
#include "publish/policy.hpp"
#include "publish/record.hpp"
#include "sts/served.hpp"
#include "sts/txt.hpp"
#include "tlsrpt/txt.hpp"

namespace pinnace::publish {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

names::Domain name(std::string_view text) { return *names::Domain::parse(text); }

Key key(std::uint8_t octet) {
  Key out;
  out.pin.sha256.fill(octet);
  return out;
}

Settings settings() {
  Settings out;
  out.hosts = {{name("mx.example.org"), {key(1), key(2)}, {key(3)}, {25, 465}}};
  Domain domain{name("example.org"), {name("mx.example.org")}, sts::Mode::testing};
  domain.tlsrpt = {"mailto:tls@example.org", "https://example.org/tlsrpt?a=%3B"};
  out.domains = {domain};
  return out;
}

std::string hex(std::string_view octet) {
  std::string out;
  for (int i = 0; i < 32; ++i) out += octet;
  return out;
}

// RFC 7671 5.1, 8.1: every live key and the next, at each port.
TEST(Publish, TlsaRecordsForLiveAndNextKeys) {
  std::vector<std::string> lines;
  for (const Record& r : records(settings())) {
    if (r.type != Record::Type::tlsa) continue;
    lines.push_back(zone_line(r, base::Seconds(300)));
    const auto read = dane::Tlsa::parse_text(lines.back());
    ASSERT_TRUE(read) << lines.back();
    EXPECT_EQ(dane::why_unusable(*read), "");
  }
  std::vector<std::string> expected;
  for (const char* port : {"25", "465"}) {
    for (const char* octet : {"01", "02", "03"})
      expected.push_back(fmt::format("_{}._tcp.mx.example.org. 300 IN TLSA 3 1 1 {}", port, hex(octet)));
  }
  EXPECT_EQ(lines, expected);
}

TEST(Publish, AKeyThatIsLiveAndBackupHasOneRecord) {
  Settings s = settings();
  s.hosts[0].backups = {key(2)};
  EXPECT_EQ(tlsa_records(s.hosts[0], 25).size(), 2U);
}

// RFC 8461 3.2, 3.1; pinning-protocol 4.3
TEST(Publish, ThePolicyIsReadBackAsItIsMeant) {
  for (const bool pins : {false, true}) {
    for (const sts::Mode mode : {sts::Mode::none, sts::Mode::testing, sts::Mode::enforce}) {
      Settings s = settings();
      s.domains[0].sts = mode;
      s.domains[0].sts_pins = pins;
      const auto policy = policy_of(s, s.domains[0]);
      ASSERT_TRUE(policy);
      const auto served = sts::read_served(200, kPolicyType, policy->text);
      ASSERT_TRUE(served.policy) << served.detail;
      EXPECT_EQ(served.policy->mode, mode);
      EXPECT_EQ(served.policy->max_age, std::chrono::days(7));
      EXPECT_TRUE(served.policy->lists("mx.example.org"));
      EXPECT_FALSE(served.policy->lists("mx.example.net"));
      const std::vector<pins::Pin> all = {key(1).pin, key(2).pin, key(3).pin};
      EXPECT_EQ(served.policy->pins, pins ? all : std::vector<pins::Pin>());
      EXPECT_THAT(served.policy->extensions, IsEmpty());
      // RFC 8461 3.2: sts-policy-term
      EXPECT_EQ(std::ranges::count(policy->text, '\n'), std::ranges::count(policy->text, '\r'));
      const auto txt = sts::parse_txt(std::vector{sts_record(s.domains[0], policy->id).text});
      ASSERT_TRUE(txt.txt);
      EXPECT_EQ(txt.txt->id, policy->id);
      EXPECT_THAT(txt.problems, IsEmpty());
    }
  }
}

// RFC 8461 3.1: the id tells that there is another policy, and only that.
TEST(Publish, TheIdChangesExactlyWithThePolicy) {
  const auto id = [](const std::function<void(Settings&)>& change) {
    Settings s = settings();
    change(s);
    return policy_of(s, s.domains[0])->id;
  };
  const std::string was = id([](Settings&) {});
  EXPECT_EQ(was, "07b5d6482bc497116fead87d0e1ee26c") << "the same on every machine and in every release";
  const struct {
    const char* why;
    std::function<void(Settings&)> change;
    bool same;
  } cases[] = {
      {"reports go elsewhere", [](Settings& s) { s.domains[0].tlsrpt.clear(); }, true},
      {"a key, which is not in the policy", [](Settings& s) { s.hosts[0].live = {key(9)}; }, true},
      {"mode", [](Settings& s) { s.domains[0].sts = sts::Mode::enforce; }, false},
      {"max_age", [](Settings& s) { s.domains[0].sts_max_age += base::Seconds(1); }, false},
      {"another mx", [](Settings& s) { s.domains[0].mx.push_back(name("b.example.org")); }, false},
      {"pins", [](Settings& s) { s.domains[0].sts_pins = true; }, false},
  };
  for (const auto& c : cases) EXPECT_EQ(id(c.change) == was, c.same) << c.why;
  const auto pinned = [&](std::uint8_t octet) {
    return id([octet](Settings& s) {
      s.domains[0].sts_pins = true;
      s.hosts[0].backups = {key(octet)};
    });
  };
  EXPECT_NE(pinned(3), pinned(4));
}

// pinning-protocol 4.1: a domain's set binds every host that serves it.
TEST(Publish, NoPinsInThePolicyWhereAHostIsAnothers) {
  Settings s = settings();
  s.domains[0].sts_pins = true;
  s.domains[0].mx.push_back(name("backup.example.net"));
  EXPECT_THAT(policy_of(s, s.domains[0])->policy.pins, IsEmpty());
  EXPECT_THAT(remarks(s), ElementsAre(HasSubstr("backup.example.net")));
}

// RFC 8460 3
TEST(Publish, UrisAreEscapedOrRefused) {
  const struct {
    std::string uri;
    const char* out;  // null: refused
  } cases[] = {
      {"mailto:tls@example.org", "mailto:tls@example.org"},
      {"mailto:a!b@example.org?subject=c,d;e", "mailto:a%21b@example.org?subject=c%2Cd%3Be"},
      {"https://example.org/a;b?c=$d,e", "https://example.org/a%3Bb?c=$d%2Ce"},
      {"https://example.org/a\"b", nullptr},
      {"https://example.org/a\nb", nullptr},
      {"https://example.org/a\\b", nullptr},
      {"https://example.org/a b", nullptr},
      {std::string("https://example.org/a\0b", 23), nullptr},
      {"https://example.org/\xc3\xbc", nullptr},
      {"http://example.org/", nullptr},
      {"mailto:", nullptr},
      {"tls@example.org", nullptr},
      {"", nullptr},
  };
  for (const auto& c : cases) {
    const auto escaped = escaped_uri(c.uri);
    EXPECT_EQ(escaped.has_value(), c.out != nullptr) << c.uri;
    if (escaped && c.out) {
      EXPECT_EQ(*escaped, c.out);
      Domain domain = settings().domains[0];
      domain.tlsrpt = {*escaped, *escaped};
      const auto read = tlsrpt::parse_txt(std::vector{tlsrpt_record(domain).text});
      ASSERT_TRUE(read.txt) << *escaped;
      EXPECT_EQ(read.txt->rua, domain.tlsrpt);
    }
  }
}

// RFC 1035 3.3, 5.1: whatever a text holds, it is one text on one line, in strings of at most 255 octets.
TEST(Publish, NoTextEndsItsStringOrItsLine) {
  std::string all;
  for (int i = 0; i < 700; ++i) all += static_cast<char>(i);
  for (const std::string& text : {all, std::string(255, 'a'), std::string(256, '"'),
                                  std::string("$ORIGIN x\n; y"), std::string("\\"), std::string()}) {
    const Record record{"a.example", Record::Type::txt, text, ""};
    const std::string line = zone_line(record, base::Seconds(1));
    EXPECT_TRUE(line.starts_with("a.example. 1 IN TXT \""));
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
    EXPECT_EQ(names::joined_strings(data(record)), text);
  }
  // Each string by itself.
  EXPECT_EQ(data({"a.example", Record::Type::txt, std::string(256, 'a'), ""}),
            '"' + std::string(255, 'a') + "\" \"a\"");
}

TEST(Publish, WhatNobodyCouldReadIsRefused) {
  const auto check_with = [](const std::function<void(Domain&)>& change) {
    Domain domain = settings().domains[0];
    change(domain);
    return check(domain);
  };
  EXPECT_TRUE(check_with([](Domain&) {}));
  const std::string label(60, 'a');
  const std::string longest = label + "." + label + "." + label + "." + label;
  const struct {
    const char* names;
    std::function<void(Domain&)> change;
  } cases[] = {
      {"too long", [&](Domain& d) { d.name = name(longest + ".example"); }},
      {"a_b.example", [](Domain& d) { d.mx = {name("a_b.example")}; }},
      {"too long", [&](Domain& d) { d.mx = {name(longest + ".example")}; }},
      {"mx is missing", [](Domain& d) { d.mx.clear(); }},
      {"tlsrpt: RFC 8460 3", [](Domain& d) { d.tlsrpt = {"mailto:a;b@example.org"}; }},
      {"too long",
       [](Domain& d) { d.tlsrpt = std::vector<std::string>(90, "mailto:" + std::string(60, 'a') + "@b.c"); }},
  };
  for (const auto& c : cases) {
    const auto checked = check_with(c.change);
    ASSERT_FALSE(checked) << c.names;
    EXPECT_THAT(checked.error().detail, HasSubstr(c.names));
  }
}

// RFC 8461 3.3: that host, that path, nothing beside it.
TEST(Publish, PoliciesAreFoundAtTheirHostAndPathOnly) {
  Settings s = settings();
  Domain silent{name("example.net"), {name("mx.example.org")}, std::nullopt};
  s.domains.push_back(silent);
  const PolicySite site(s);
  const std::string text = policy_of(s, s.domains[0])->text;
  const struct {
    const char *host, *path;
    bool found;
  } cases[] = {
      {"mta-sts.example.org", "/.well-known/mta-sts.txt", true},
      {"MTA-STS.Example.ORG:443", "/.well-known/mta-sts.txt", true},
      {"mta-sts.example.org.", "/.well-known/mta-sts.txt", true},
      {"mta-sts.example.net", "/.well-known/mta-sts.txt", false},
      {"example.org", "/.well-known/mta-sts.txt", false},
      {"mta-sts.mta-sts.example.org", "/.well-known/mta-sts.txt", false},
      {"", "/.well-known/mta-sts.txt", false},
      {"mta-sts.example.org", "/.well-known/mta-sts.txt/", false},
      {"mta-sts.example.org", "/.well-known/MTA-STS.txt", false},
      {"mta-sts.example.org", "//.well-known/mta-sts.txt", false},
      {"mta-sts.example.org", "/.well-known/mta-sts.txt?x", false},
      {"mta-sts.example.org", "/", false},
  };
  for (const auto& c : cases) {
    const auto found = site.find(c.host, c.path);
    EXPECT_EQ(found.has_value(), c.found) << c.host << c.path;
    if (found) EXPECT_EQ(*found, text);
  }
}

// RFC 7671 8.1: adds before deletes, two TTLs between them.
TEST(Publish, ScriptsForNsupdate) {
  const base::Time now = *base::parse_time("2026-11-24T10:00:00Z");
  const auto all = records(settings());
  const std::string add = nsupdate(all, base::Seconds(3600), Step::add, now);
  EXPECT_THAT(add, HasSubstr("not before 2026-11-24T12:00:00Z"));
  EXPECT_THAT(add, Not(HasSubstr("delete _25")));
  EXPECT_THAT(
      add, HasSubstr("update delete _mta-sts.example.org. IN TXT\nupdate add _mta-sts.example.org. 3600 IN "
                     "TXT \"v=STSv1; id="));
  EXPECT_THAT(add, HasSubstr("update delete _smtp._tls.example.org. IN TXT\nupdate add "));
  const std::string remove = nsupdate(all, base::Seconds(3600), Step::remove, now);
  EXPECT_THAT(remove, Not(HasSubstr("TXT")));
  EXPECT_THAT(remove, HasSubstr("update delete _25._tcp.mx.example.org. IN TLSA\nupdate add "
                                "_25._tcp.mx.example.org. 3600 IN TLSA 3 1 1 " +
                                hex("01")));
  // An owner is changed in one go, so that it is never without its records.
  const struct {
    const std::string* script;
    std::size_t sends;
  } cases[] = {{&add, 4}, {&remove, 2}};
  for (const auto& c : cases) {
    std::size_t sends = 0;
    for (std::size_t at = 0; (at = c.script->find("send\n", at)) != std::string::npos; ++at) ++sends;
    EXPECT_EQ(sends, c.sends) << *c.script;
    EXPECT_TRUE(c.script->ends_with("send\n"));
  }
}

// Whatever a text holds, it stays one string of the program or of the configuration.
TEST(Publish, TextsInProgramsForOtherServers) {
  EXPECT_EQ(js_string("PKP RUA=mailto:a'b\\@c\n\xc3\"$`"), R"('PKP RUA=mailto:a\'b\\@c\x0a\xc3"$`')");
  NginxServer server;
  server.hostname = "mx.example.org";
  server.listen = {"192.0.2.1:25"};
  server.listen_tls = {"192.0.2.1:465"};
  server.backend = "127.0.0.1:10025";
  server.certificates = {{R"(/etc/a "b\.pem)", "/etc/a;b.key"}};
  server.ehlo_lines = {"PKP MAX-AGE=1"};
  const auto files = nginx_files(server);
  ASSERT_TRUE(files);
  EXPECT_THAT(files->configuration, HasSubstr(R"(ssl_certificate "/etc/a \"b\\.pem";)"));
  EXPECT_THAT(files->configuration, HasSubstr(R"(ssl_certificate_key "/etc/a;b.key";)"));
  EXPECT_THAT(files->configuration, HasSubstr("listen 192.0.2.1:465 ssl;\n    js_filter pins.implicit;"));
  // pinning-protocol 1.1: the listener in clear has the script that shows none, and passes nothing on but
  // TLS.
  EXPECT_THAT(
      files->configuration,
      HasSubstr("listen 192.0.2.1:25;\n    js_filter pins.starttls;\n    proxy_pass 127.0.0.1:8025;"));
  EXPECT_THAT(files->configuration, Not(HasSubstr("PKP")));
  EXPECT_THAT(files->script, HasSubstr("  'PKP MAX-AGE=1',\n"));
  for (const char* path : {"/etc/$x.pem", "/etc/a\nb.pem"}) {
    server.certificates = {{path, "key.pem"}};
    EXPECT_FALSE(nginx_files(server)) << path;
  }
}

}  // namespace
}  // namespace pinnace::publish
