// For random domains, hosts and sessions: a model of what Postfix enforces under an answer, written from its
// documentation and not from our code, lets no session through that the decisions would have refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "base/hex.hpp"
#include "postfix/domain_fixture.hpp"
#include "tls/digest.hpp"

namespace pinnace::postfix {
namespace {

using namespace fixture;
using policy::Demand;
using policy::Facts;
using policy::Requirement;

// What a host shows: a leaf with a key, under one CA.
struct Session {
  bool tls = true;
  bool tls13 = true;
  int key = 0;
  int authority = 0;  // 0: signed by itself
  std::set<std::string> names;

  std::string key_sha256() const { return octets(pin(key)); }
  std::string certificate_sha256() const {
    std::string all = std::to_string(key) + "/" + std::to_string(authority);
    for (const std::string& name : names) all += "/" + name;
    return tls::sha256(all);
  }
  std::string authority_pem() const { return "CA " + std::to_string(authority) + "\n"; }
  std::string authority_key() const { return octets(pin(authority)); }
  bool webpki() const { return authority == kTrusted || authority == kTrustedToo; }
  bool names_one_of(const std::vector<std::string>& wanted) const {
    return std::any_of(wanted.begin(), wanted.end(), [&](const auto& n) { return names.contains(n); });
  }

  static constexpr int kTrusted = 4, kTrustedToo = 5, kUntrusted = 6;  // keys of CAs are no leaves'
};

bool key_is_one_of(const std::vector<pins::Pin>& pins, const std::string& key) {
  return std::any_of(pins.begin(), pins.end(), [&](const auto& p) { return octets(p) == key; });
}

bool tlsa_matches(const dane::Tlsa& t, const Session& s, const std::vector<std::string>& names) {
  if (t.usage == dane::kDaneTa) return s.authority && t.data == s.authority_key() && s.names_one_of(names);
  if (t.matching != dane::kSha256) return false;
  return t.data == (t.selector == dane::kSpki ? s.key_sha256() : s.certificate_sha256());
}

bool meets(const Requirement& r, const Session& s) {
  switch (r.demand) {
    case Demand::tls:
      return s.tls;
    case Demand::pins:
      return s.tls && (key_is_one_of(r.pins, s.key_sha256()) ||
                       (s.authority && key_is_one_of(r.pins, s.authority_key()) && s.names_one_of(r.names)));
    case Demand::dane:
      return s.tls && std::any_of(r.tlsa.begin(), r.tlsa.end(),
                                  [&](const auto& t) { return tlsa_matches(t, s, r.names); });
    case Demand::webpki:
      return s.tls && s.webpki() && s.names_one_of(r.names);
    case Demand::protocol:
      return s.tls && (s.tls13 || r.protocol == policy::Protocol::tls12);
    case Demand::offers_requiretls:
    case Demand::unmet:
      break;
  }
  return false;
}

bool allows(const policy::Decision& d, const Session& s) {
  return std::all_of(d.requirements.begin(), d.requirements.end(),
                     [&](const Requirement& r) { return !r.enforced || meets(r, s); });
}

bool asks_who(const policy::Decision& d) {
  return std::any_of(d.requirements.begin(), d.requirements.end(), [](const Requirement& r) {
    return r.enforced && (r.demand == Demand::pins || r.demand == Demand::dane || r.demand == Demand::webpki);
  });
}

// An entry of smtp_tls_policy_maps as Postfix reads it.
struct Entry {
  std::string level;
  std::multimap<std::string, std::string> attributes;

  explicit Entry(const std::string& text) {
    std::istringstream words(text);
    words >> level;
    for (std::string word; words >> word;) {
      const std::size_t at = word.find('=');
      attributes.emplace(word.substr(0, at), at == std::string::npos ? "" : word.substr(at + 1));
    }
  }
  std::vector<std::string> all(const std::string& name, char separator) const {
    std::vector<std::string> out;
    for (auto [at, end] = attributes.equal_range(name); at != end; ++at) {
      std::istringstream parts(at->second);
      for (std::string part; std::getline(parts, part, separator);) out.push_back(part);
    }
    return out;
  }
};

struct HostFacts {
  Facts facts;
  HostKnown known;
};

// What dane_init() makes of a level for one host; "": it is not tried.
std::string dane_level(const std::string& level, const Facts& f) {
  const auto fallback = [&](const char* to) { return level == "dane-only" ? "" : to; };
  if (!f.mx_secure && !f.no_mx) return fallback("may");
  switch (f.tlsa.kind) {
    case Tlsa::failure:
      return "";
    case Tlsa::records:
      return dane::usable(f.tlsa.records).empty() ? fallback("encrypt") : "dane";
    default:
      return fallback("may");
  }
}

bool postfix_uses(const Entry& e, const Telling& t, const HostFacts& host, const Session& s,
                  bool enforce_patterns = false) {
  std::string level = e.level;
  if (level == "dane" || level == "dane-only") {
    level = dane_level(level, host.facts);
    if (level.empty()) return false;
  }
  if (level == "may" || level == "none") return true;  // in the clear, if need be
  if (!s.tls) return false;
  for (const std::string& p : e.all("protocols", '|')) {
    if (p == ">=TLSv1.3" && !s.tls13) return false;
  }
  if (level == "encrypt") return true;
  if (level == "dane") {
    const auto usable = dane::usable(host.facts.tlsa.records);
    return std::any_of(usable.begin(), usable.end(), [&](const auto& r) {
      return tlsa_matches(r, s, {host.facts.tlsa.base, host.facts.domain});
    });
  }
  if (level == "fingerprint") {
    const auto wanted = e.all("match", '|');
    return std::any_of(wanted.begin(), wanted.end(), [&](const auto& m) {
      return m == base::hex(s.key_sha256(), ":") || m == base::hex(s.certificate_sha256(), ":");
    });
  }
  EXPECT_EQ(level, "secure");
  bool trusted = s.webpki();
  if (e.attributes.contains("tafile")) {
    trusted = std::any_of(t.files.begin(), t.files.end(),
                          [&](const AnchorFile& f) { return s.authority && f.pem == s.authority_pem(); });
  }
  auto wanted = e.all("match", ':');
  // smtp_tls_enforce_sts_mx_patterns of Postfix 3.10.5 and later: on or off, both must hold.
  const auto patterns = e.all("mx_host_pattern", ' ');
  if (!patterns.empty() && enforce_patterns) {
    const auto covers = [&](const std::string& p) {
      return names::MxPattern::parse(p)->matches(host.facts.host_name);
    };
    if (std::none_of(patterns.begin(), patterns.end(), covers) || e.attributes.contains("policy_failure"))
      return false;
    wanted = {"hostname"};
  }
  return trusted && std::any_of(wanted.begin(), wanted.end(), [&](const std::string& m) {
           if (m == "hostname") return s.names.contains(host.facts.host_name);
           return s.names.contains(m);
         });
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int number(int below) { return static_cast<int>(engine_() % static_cast<unsigned>(below)); }
  bool one_in(int n) { return number(n) == 0; }

  Session session() {
    Session s;
    s.tls = !one_in(8), s.tls13 = !one_in(3), s.key = 1 + number(3);
    s.authority = std::array{0, Session::kTrusted, Session::kTrustedToo, Session::kUntrusted}[number(4)];
    for (const char* name : {"mx1.x.test", "mx2.x.test", "mx3.x.test", "x.test", "mail.y.test"}) {
      if (one_in(3)) s.names.insert(name);
    }
    return s;
  }

  pins::PinSet pin_set(pins::Scope scope, const std::string& name) {
    pins::PinSet s = set(scope, name);
    for (auto& p : s.pins) p = {pin(1 + number(6)), kNow + (one_in(6) ? -1h : 1h)};
    if (one_in(5)) s.mode = pins::Mode::report;
    return s;
  }

  dane::Tlsa record() {
    switch (number(5)) {
      case 0:
        return {dane::kDaneEe, dane::kSpki, dane::kSha256, octets(pin(1 + number(3))), true};
      case 1:
        return {dane::kDaneEe, dane::kCert, dane::kSha256, session().certificate_sha256(), true};
      case 2:
        return {dane::kDaneTa, dane::kSpki, dane::kSha256, octets(pin(4 + number(3))), true};
      case 3:
        return tlsa_record(dane::kDaneEe, dane::kSpki, dane::kSha512, 'x');
      default:
        return kPkixEe;
    }
  }

  policy::Rule any_rule(policy::Rule::Subject subject) {
    policy::Rule r = rule(subject, "*");
    if (one_in(2)) r.level = static_cast<policy::Level>(number(6));
    if (one_in(4)) r.pins = {pin(1 + number(6)), pin(1 + number(6))};
    if (one_in(4)) r.mx = {*names::MxPattern::parse(one_in(2) ? "mx1.x.test" : "*.x.test")};
    if (one_in(4)) r.min_protocol = one_in(2) ? policy::Protocol::tls12 : policy::Protocol::tls13;
    if (one_in(4)) r.waiver = waiver({static_cast<policy::Waivable>(number(4))}).waiver;
    return r;
  }

  Facts domain_facts() {
    Facts f = facts();
    f.mx_secure = one_in(2);
    if (one_in(3)) {
      f.sts = sts_policy(one_in(4) ? "testing" : "enforce",
                         std::array{"*.x.test", "mx1.x.test\nmx: mail.y.test", "mail.y.test"}[number(3)]);
      if (one_in(4)) f.sts->policy.pins = {pin(1 + number(6))};
    }
    if (one_in(4)) f.domain_pins = pin_set(pins::Scope::domain, "x.test");
    if (one_in(4)) f.domain_rule = shared(any_rule(policy::Rule::Subject::domain));
    return f;
  }

  HostFacts host(Facts f, const std::string& name) {
    f.host = f.host_name = name;
    if (one_in(2)) {
      f.tlsa = one_in(4) ? tlsa(Tlsa::failure) : tlsa(Tlsa::records, {record(), record()});
      f.tlsa.base = name;
    }
    if (one_in(3)) f.host_pins = pin_set(pins::Scope::host, name);
    if (one_in(4)) f.stsec = pins::StsecRecord{name, kNow - 1h, kNow + 1h};
    if (one_in(6)) f.host_rule = shared(any_rule(policy::Rule::Subject::host));
    HostFacts out{f, {name, nullptr, "no address", {}}};
    if (one_in(10)) return out;
    out.known.decision = std::make_shared<const policy::Decision>(policy::decide(f));
    for (int i = 0; i < 40 && one_in(2); ++i) see(out.known);
    return out;
  }

 private:
  // A probe that the decision held to, as SeenChain has it.
  void see(HostKnown& host) {
    const Session s = session();
    if (!s.tls || !allows(*host.decision, s)) return;
    SeenChain seen{s.key_sha256(), s.certificate_sha256(), kNow + (one_in(5) ? -1h : 1h), {}};
    int of_authority = 0, of_leaf = 0;
    for (const Requirement& r : host.decision->requirements) {
      if (!r.enforced || (r.demand != Demand::pins && r.demand != Demand::dane)) continue;
      const bool by_leaf = key_is_one_of(r.pins, s.key_sha256()) ||
                           std::any_of(r.tlsa.begin(), r.tlsa.end(), [&](const auto& t) {
                             return t.usage == dane::kDaneEe && tlsa_matches(t, s, {});
                           });
      ++(by_leaf ? of_leaf : of_authority);
    }
    if (of_authority && !of_leaf) seen.anchors = {s.authority_pem()};
    host.seen.push_back(std::move(seen));
  }

  std::mt19937 engine_;
};

// The session satisfies the host's decision, or it proves to be another host of the domain as that one's
// demands it, or a host that the domain's MTA-STS policy names itself.
bool acceptable(const Facts& of_domain, const std::vector<HostFacts>& hosts, const HostFacts& at,
                const Entry& e, const Session& s) {
  if (allows(*at.known.decision, s)) return true;
  if (e.level != "fingerprint" && e.level != "secure") return false;
  for (const HostFacts& other : hosts) {
    if (!other.known.decision || !allows(*other.known.decision, s)) continue;
    if (asks_who(*other.known.decision)) return true;
    // by the certificate that was seen of it alone
    for (const SeenChain& c : other.known.seen) {
      if (c.not_after > kNow && c.certificate_sha256 == s.certificate_sha256()) return true;
    }
  }
  if (e.level != "secure" || !of_domain.sts || of_domain.sts->policy.mode != sts::Mode::enforce) return false;
  Facts named = of_domain;
  named.host = named.host_name = "mail.y.test";
  return s.names.contains("mail.y.test") && s.webpki() && of_domain.sts->policy.lists("mail.y.test") &&
         allows(policy::decide(named), s);
}

TEST(Property, PostfixIsNeverToldLessThanTheDecisions) {
  Random random(20'261'124);
  std::map<std::string, int> told;
  int used = 0;
  for (int i = 0; i < 8'000; ++i) {
    const Facts of_domain = random.domain_facts();
    std::vector<HostFacts> hosts;
    for (int n = 1 + random.number(3); n > 0; --n) {
      hosts.push_back(random.host(of_domain, "mx" + std::to_string(hosts.size() + 1) + ".x.test"));
    }
    DomainKnown known = domain({});
    for (const HostFacts& host : hosts) known.hosts.push_back(host.known);
    known.mx_secure = of_domain.mx_secure;
    if (of_domain.sts) known.sts = std::make_shared<const sts::Cached>(*of_domain.sts);
    Options options;
    options.anchors_folder = "/anchors";
    options.tlsrpt = random.one_in(2);
    const Telling t = tell(known, options);
    const Entry e(t.kind == Telling::Kind::ok     ? t.text
                  : t.kind == Telling::Kind::temp ? "temp"
                                                  : "may");  // whatever main.cf has
    ++told[e.attributes.contains("tafile") ? "tafile" : e.level];
    if (t.kind == Telling::Kind::temp) continue;
    for (const HostFacts& at : hosts) {
      if (!at.known.decision) continue;
      for (int k = 0; k < 20; ++k) {
        const Session s = random.session();
        if (!postfix_uses(e, t, at, s, random.one_in(2))) continue;
        ++used;
        ASSERT_TRUE(acceptable(of_domain, hosts, at, e, s))
            << t.text << "\nat " << at.known.host << ": " << at.known.decision->sentence() << "\nkey "
            << s.key << " CA " << s.authority << " tls " << s.tls << " tls13 " << s.tls13;
      }
    }
  }
  EXPECT_GT(used, 5'000);
  for (const char* level :
       {"none", "may", "encrypt", "dane", "dane-only", "secure", "tafile", "fingerprint", "temp"}) {
    EXPECT_GT(told[level], 5) << level << " was hardly told: the test shows little of it";
  }
}

// A host that is said to be usable is: a session that satisfies its decision, as it was seen, passes.
TEST(Property, AHostThatWasSeenIsLetThroughUnlessItIsLeftOut) {
  Random random(7);
  int passed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Facts of_domain = random.domain_facts();
    const HostFacts host = random.host(of_domain, "mx1.x.test");
    DomainKnown known = domain({host.known});
    if (of_domain.sts) known.sts = std::make_shared<const sts::Cached>(*of_domain.sts);
    Options options;
    options.anchors_folder = "/anchors";
    const Telling t = tell(known, options);
    if (!host.known.decision) continue;
    const bool seen = std::any_of(host.known.seen.begin(), host.known.seen.end(),
                                  [](const SeenChain& c) { return c.not_after > kNow; });
    if (seen) EXPECT_NE(t.kind, Telling::Kind::temp) << t.text << "\n" << host.known.decision->sentence();
    if (t.kind != Telling::Kind::ok) continue;
    const Entry e(t.text);
    for (int k = 0; k < 20; ++k) {
      const Session s = random.session();
      for (const SeenChain& c : host.known.seen) {
        if (c.not_after <= kNow || c.certificate_sha256 != s.certificate_sha256() || !s.tls) continue;
        if (!allows(*host.known.decision, s)) continue;
        ++passed;
        EXPECT_TRUE(postfix_uses(e, t, host, s)) << t.text << "\n" << host.known.decision->sentence();
      }
    }
  }
  EXPECT_GT(passed, 100);
}

}  // namespace
}  // namespace pinnace::postfix
