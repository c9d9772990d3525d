// The operator's rules: what a recipient domain or an MX host must satisfy besides what it declares itself,
// and which of its declarations are set aside for a while.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "names/mx_pattern.hpp"
#include "pins/pin.hpp"
#include "policy/rate.hpp"

namespace pinnace::policy {

// Whom a rule is for: "example.org"; "*.example.org" for every name below it; "*" for all.
class NamePattern {
 public:
  // Error "policy.pattern".
  static base::Result<NamePattern> parse(std::string_view text);

  bool matches(std::string_view name) const;  // `name` canonical, as names::Domain has it
  std::size_t specificity() const;            // a name itself above every pattern, a longer pattern first
  std::string str() const;
  bool operator==(const NamePattern&) const = default;

 private:
  NamePattern(std::string name, bool below) : name_(std::move(name)), below_(below) {}
  std::string name_;  // empty: all
  bool below_;
};

enum class Level : std::uint8_t { none, may, encrypt, authenticated, dane, webpki };
std::string_view to_string(Level level);

enum class Protocol : std::uint8_t { tls12, tls13 };
std::string_view to_string(Protocol protocol);  // "TLSv1.2", as OpenSSL names it
// Is what was negotiated ("TLSv1.3") at least that?
bool reaches(std::string_view negotiated, Protocol least);

// What a rule can set aside: a source of requirements by its name in a rule.
enum class Waivable : std::uint8_t { pkp, sts, dane, stsec };
std::string_view to_string(Waivable source);

struct Waiver {
  std::vector<Waivable> sources;
  std::string reason;  // the operator's own words
  base::Time until{};

  bool in_force(base::Time now) const { return !sources.empty() && now < until; }
  bool covers(Waivable source, base::Time now) const;
};

// A certificate of ours that is shown to a host that asks for one.
struct ClientCertificate {
  std::string name;         // the operator's
  std::string fingerprint;  // so that another certificate of the same name is another demand
  bool operator==(const ClientCertificate&) const = default;
};

struct Rule {
  enum class Subject : std::uint8_t { domain, host };
  Rule(Subject whom, NamePattern names) : subject(whom), pattern(std::move(names)) {}

  Subject subject;
  NamePattern pattern;
  std::optional<Level> level;
  std::vector<pins::Pin> pins;
  std::vector<names::MxPattern> mx;  // hosts that may be used; empty: any
  std::optional<Protocol> min_protocol;
  std::optional<ClientCertificate> client_certificate;
  Waiver waiver;
  // Limits are no demands: they bind no decision, and each counts by itself (RuleBook::limit_of).
  std::optional<Rate> rate;                  // messages begun
  std::optional<std::uint32_t> concurrency;  // connections at once

  std::string str() const;      // for people: "the rule for domain *.example.org"
  std::string demands() const;  // for people: all that it says
  bool lists(std::string_view host) const;
  bool binds() const;  // demands something, and does not only set aside
  bool only_limits() const;
};

// Whose limits count for a name: of the rules that name a rate the most specific, of those that name a
// concurrency too. Null: it has none.
struct Limit {
  std::shared_ptr<const Rule> rate;
  std::shared_ptr<const Rule> concurrency;

  bool any() const { return rate || concurrency; }
  std::vector<std::string> sentences() const;  // for people: "the rate of the rule for domain x.test: 10/s"
};

// All rules. Of those for a domain the most specific binds, and of those for a host; both together. A rule
// that has only limits takes no other's place.
class RuleBook {
 public:
  RuleBook() = default;
  // Error "policy.rule": two rules for one name.
  static base::Result<RuleBook> make(std::vector<Rule> rules);

  // Null: none.
  std::shared_ptr<const Rule> for_domain(std::string_view domain) const;
  std::shared_ptr<const Rule> for_host(std::string_view host) const;
  Limit limit_of(Rule::Subject subject, std::string_view name) const;
  // Most specific first, those for domains before those for hosts.
  const std::vector<std::shared_ptr<const Rule>>& rules() const { return rules_; }

 private:
  std::shared_ptr<const Rule> find(Rule::Subject subject, std::string_view name) const;
  std::vector<std::shared_ptr<const Rule>> rules_;
  std::vector<std::shared_ptr<const Rule>> limits_;  // those that have one
};

}  // namespace pinnace::policy
