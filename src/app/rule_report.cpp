#include "app/rule_report.hpp"

#include "names/domain.hpp"
#include "names/mail_address.hpp"

namespace pinnace::app {
namespace json = boost::json;

json::object to_json(const policy::Rule& rule, base::Time now) {
  json::object out;
  out["for"] = rule.subject == policy::Rule::Subject::domain ? "domain" : "host";
  out["name"] = rule.pattern.str();
  out["tls"] = rule.level ? json::value(to_string(*rule.level)) : json::value(nullptr);
  out["min_protocol"] = rule.min_protocol ? json::value(to_string(*rule.min_protocol)) : json::value(nullptr);
  out["client_certificate"] =
      rule.client_certificate ? json::value(rule.client_certificate->name) : json::value(nullptr);
  out["rate"] = rule.rate ? json::value(rule.rate->str()) : json::value(nullptr);
  out["concurrency"] = rule.concurrency ? json::value(*rule.concurrency) : json::value(nullptr);
  json::array pins, mx, ignore;
  for (const auto& pin : rule.pins) pins.emplace_back(pin.str());
  for (const auto& pattern : rule.mx) mx.emplace_back(pattern.str());
  for (const auto source : rule.waiver.sources) ignore.emplace_back(to_string(source));
  out["pins"] = std::move(pins);
  out["mx"] = std::move(mx);
  out["ignore"] = std::move(ignore);
  if (!rule.waiver.sources.empty()) {
    out["reason"] = rule.waiver.reason;
    out["until"] = base::format_time(rule.waiver.until);
    out["ignoring"] = rule.waiver.in_force(now);
  }
  out["demands"] = rule.demands();
  return out;
}

json::array to_json(const policy::RuleBook& rules, base::Time now) {
  json::array out;
  for (const auto& rule : rules.rules()) out.push_back(to_json(*rule, now));
  return out;
}

json::array to_json(const policy::Limit& limit) {
  json::array out;
  for (const std::string& sentence : limit.sentences()) out.emplace_back(sentence);
  return out;
}

base::Result<json::value> test_rules(const policy::RuleBook& rules, const std::string& domain,
                                     const std::string& host, base::Time now) {
  std::string domain_name = domain;
  if (const auto mailbox = names::MailAddress::parse(domain)) domain_name = mailbox->domain();
  const auto name = names::Domain::parse(domain_name);
  if (!name) return base::fail("app.usage", name.error().detail);
  std::string host_name;
  if (!host.empty()) {
    const auto parsed = names::Domain::parse(host);
    if (!parsed) return base::fail("app.usage", parsed.error().detail);
    host_name = parsed->str();
  }
  const auto of_domain = rules.limit_of(policy::Rule::Subject::domain, name->str());
  const auto of_host = rules.limit_of(policy::Rule::Subject::host, host_name);
  json::array matching;
  for (const auto& rule : rules.rules()) {
    const bool for_domain = rule->subject == policy::Rule::Subject::domain;
    const std::string& subject = for_domain ? name->str() : host_name;
    if (subject.empty() || !rule->pattern.matches(subject)) continue;
    json::object one = to_json(*rule, now);
    const policy::Limit& limit = for_domain ? of_domain : of_host;
    one["binds"] = rule == (for_domain ? rules.for_domain(subject) : rules.for_host(subject)) ||
                   (rule->only_limits() && (rule == limit.rate || rule == limit.concurrency));
    matching.push_back(std::move(one));
  }
  json::object out;
  out["domain"] = name->str();
  out["host"] = host_name.empty() ? json::value(nullptr) : json::value(host_name);
  out["rules"] = std::move(matching);
  json::array limits = to_json(of_domain);
  if (!host_name.empty()) {
    for (auto& one : to_json(of_host)) limits.push_back(std::move(one));
  }
  out["limits"] = std::move(limits);
  return json::value(std::move(out));
}

}  // namespace pinnace::app
