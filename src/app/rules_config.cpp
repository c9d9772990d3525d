#include "app/rules_config.hpp"

#include <fmt/format.h>

#include "pins/advert.hpp"

namespace pinnace::app {
namespace {

using policy::Level;
using policy::Rule;
using policy::Waivable;

void read_pins(TomlSection& s, Rule& rule, std::vector<std::string>& files) {
  for (const std::string& text : s.texts("pins", false)) {
    if (const auto pin = pins::Pin::parse(text)) {
      rule.pins.push_back(*pin);
    } else if (const auto of_file = tls::pin_of_file(text)) {
      rule.pins.push_back(*of_file);
      files.push_back(text);
    } else {
      s.problem("pins", fmt::format("'{}' is neither the base64 of a SHA-256 (32 octets) nor a file with a "
                                    "certificate or key: {}",
                                    text, of_file.error().detail));
    }
  }
  if (rule.pins.size() > pins::kMaxPins)
    s.problem("pins", fmt::format("at most {} are taken", pins::kMaxPins));
}

void read_mx(TomlSection& s, Rule& rule) {
  for (const std::string& text : s.texts("mx", false)) {
    if (auto pattern = names::MxPattern::parse(text)) {
      rule.mx.push_back(std::move(*pattern));
    } else {
      s.problem("mx", fmt::format("'{}': {}", text, pattern.error().detail));
    }
  }
  if (rule.subject == Rule::Subject::host && s.has("mx")) s.problem("mx", "belongs to a rule for a domain");
}

void read_waiver(TomlSection& s, Rule& rule, base::Time now) {
  for (const std::string& text : s.texts("ignore", false)) {
    bool known = false;
    for (const Waivable source : {Waivable::pkp, Waivable::sts, Waivable::dane, Waivable::stsec}) {
      if (text != to_string(source)) continue;
      rule.waiver.sources.push_back(source);
      known = true;
    }
    if (!known)
      s.problem("ignore", fmt::format("'{}' is none of \"pkp\", \"sts\", \"dane\", \"stsec\"", text));
  }
  if (!s.has("ignore")) {
    for (const char* key : {"reason", "until"}) {
      if (s.has(key)) s.problem(key, "belongs to ignore, which is not there");
    }
    return;
  }
  rule.waiver.reason = s.required_text("reason");
  const auto until = s.time("until");
  if (!until && !s.has("until")) s.problem("until", "is missing: a waiver says until when, as 2027-01-31");
  rule.waiver.until = until.value_or(base::Time{});
  if (until && *until <= now) {
    s.problem("until",
              fmt::format("{} is over: what this rule ignored binds again. Take the rule out, or give it "
                          "a later date if its reason ({}) still holds",
                          base::format_time(*until), rule.waiver.reason));
  }
}

void read_client_certificate(TomlSection& s, Rule& rule, const ClientCertificates& certificates) {
  const std::string name = s.text("client_certificate", "");
  if (!s.has("client_certificate")) return;
  const auto found = certificates.find(name);
  if (found == certificates.end()) {
    s.problem("client_certificate",
              fmt::format("there is no [[client_certificate]] with the name '{}'", name));
    return;
  }
  rule.client_certificate = policy::ClientCertificate{name, found->second.loaded.fingerprint()};
}

void read_limits(TomlSection& s, Rule& rule) {
  constexpr std::int64_t kMostConnections = 10'000;
  if (const std::string text = s.text("rate", ""); s.has("rate")) {
    const auto rate = policy::Rate::parse(text);
    if (!rate) return s.problem("rate", rate.error().detail);
    rule.rate = *rate;
  }
  const auto concurrency = s.integer("concurrency", 1, 1, kMostConnections);
  if (s.has("concurrency")) rule.concurrency = static_cast<std::uint32_t>(concurrency);
}

void check_sense(TomlSection& s, const Rule& rule, base::Time now) {
  if (!rule.level && rule.pins.empty() && rule.mx.empty() && !rule.min_protocol && !s.has("ignore") &&
      !s.has("client_certificate") && !s.has("rate") && !s.has("concurrency")) {
    s.problem("",
              "the rule says nothing: tls, pins, mx, min_protocol, client_certificate, ignore, rate or "
              "concurrency is expected");
  }
  if (rule.level == Level::none && (rule.min_protocol || !rule.pins.empty())) {
    s.problem("tls", "none goes with neither pins nor min_protocol, which both need TLS");
  }
  if (rule.level == Level::none && rule.client_certificate) {
    s.problem("tls", "none goes with no client_certificate, which is shown inside TLS");
  }
  if (rule.level == Level::dane && rule.waiver.covers(Waivable::dane, now)) {
    s.problem("tls", "dane cannot be demanded and ignored at once");
  }
}

Rule read_rule(TomlSection& s, const ClientCertificates& certificates, base::Time now,
               std::vector<std::string>& pin_files) {
  const bool domain = s.has("domain"), host = s.has("host");
  if (domain == host) s.problem("", "one of domain and host is expected");
  const char* key = host ? "host" : "domain";
  const std::string text = s.text(key, "*");
  const auto pattern = policy::NamePattern::parse(text);
  if (!pattern) s.problem(key, pattern.error().detail);
  Rule rule(host ? Rule::Subject::host : Rule::Subject::domain,
            pattern ? *pattern : *policy::NamePattern::parse("*"));
  const auto level =
      s.choice("tls", {"none", "may", "encrypt", "authenticated", "dane", "webpki"}, std::size_t(-1));
  if (level != std::size_t(-1)) rule.level = static_cast<Level>(level);
  const auto protocol = s.choice("min_protocol", {"TLSv1.2", "TLSv1.3"}, std::size_t(-1));
  if (protocol != std::size_t(-1)) rule.min_protocol = static_cast<policy::Protocol>(protocol);
  read_pins(s, rule, pin_files);
  read_mx(s, rule);
  read_client_certificate(s, rule, certificates);
  read_waiver(s, rule, now);
  read_limits(s, rule);
  check_sense(s, rule, now);
  return rule;
}

}  // namespace

ClientCertificates read_client_certificates(TomlFile& file) {
  ClientCertificates out;
  TomlSection whole = file.section("");
  for (TomlSection& s : whole.sections("client_certificate")) {
    const std::string name = s.required_text("name");
    const std::string certificate = s.required_text("certificate"), key = s.required_text("key");
    if (name.empty() || certificate.empty() || key.empty()) continue;
    auto loaded = tls::OwnCertificate::load(certificate, key);
    if (!loaded) {
      s.problem(loaded.error().code == "tls.key" ? "key" : "certificate", loaded.error().detail);
    } else if (!out.emplace(name, ClientCertificate{certificate, key, std::move(*loaded)}).second) {
      s.problem("name", name + " is there twice: give one of the two another name");
    }
  }
  return out;
}

RulesRead read_rules(TomlFile& file, const ClientCertificates& certificates, base::Time now) {
  TomlSection whole = file.section("");
  RulesRead out;
  std::vector<Rule> rules;
  for (TomlSection& s : whole.sections("rule"))
    rules.push_back(read_rule(s, certificates, now, out.pin_files));
  auto book = policy::RuleBook::make(std::move(rules));
  if (book) {
    out.book = std::move(*book);
  } else {
    whole.problem("rule", book.error().detail);
  }
  return out;
}

}  // namespace pinnace::app
