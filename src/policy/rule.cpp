#include "policy/rule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "names/domain.hpp"

namespace pinnace::policy {

base::Result<NamePattern> NamePattern::parse(std::string_view text) {
  if (text == "*") return NamePattern("", true);
  const bool below = text.starts_with("*.");
  const auto name = names::Domain::parse(below ? text.substr(2) : text);
  if (!name) {
    return base::fail(
        "policy.pattern",
        fmt::format("'{}' is no name: \"example.org\", \"*.example.org\" (every name below it) or "
                    "\"*\" is expected",
                    text));
  }
  return NamePattern(name->str(), below);
}

bool NamePattern::matches(std::string_view name) const {
  if (!below_) return name == name_;
  if (name_.empty()) return true;
  return name.size() > name_.size() && name.ends_with(name_) && name[name.size() - name_.size() - 1] == '.';
}

std::size_t NamePattern::specificity() const { return below_ ? name_.size() : 1000 + name_.size(); }

std::string NamePattern::str() const { return !below_ ? name_ : name_.empty() ? "*" : "*." + name_; }

std::string_view to_string(Level level) {
  switch (level) {
    case Level::none:
      return "none";
    case Level::may:
      return "may";
    case Level::encrypt:
      return "encrypt";
    case Level::authenticated:
      return "authenticated";
    case Level::dane:
      return "dane";
    case Level::webpki:
      break;
  }
  return "webpki";
}

std::string_view to_string(Protocol protocol) { return protocol == Protocol::tls12 ? "TLSv1.2" : "TLSv1.3"; }

bool reaches(std::string_view negotiated, Protocol least) {
  return negotiated == "TLSv1.3" || (negotiated == "TLSv1.2" && least == Protocol::tls12);
}

std::string_view to_string(Waivable source) {
  switch (source) {
    case Waivable::pkp:
      return "pkp";
    case Waivable::sts:
      return "sts";
    case Waivable::dane:
      return "dane";
    case Waivable::stsec:
      break;
  }
  return "stsec";
}

bool Waiver::covers(Waivable source, base::Time now) const {
  return in_force(now) && std::find(sources.begin(), sources.end(), source) != sources.end();
}

std::string Rule::str() const {
  return fmt::format("the rule for {} {}", subject == Subject::domain ? "domain" : "host", pattern.str());
}

std::string Rule::demands() const {
  std::vector<std::string> parts;
  if (level) parts.push_back(fmt::format("tls = {}", to_string(*level)));
  if (min_protocol) parts.push_back(fmt::format("at least {}", to_string(*min_protocol)));
  if (!pins.empty()) parts.push_back(fmt::format("{} pins", pins.size()));
  if (!mx.empty()) {
    std::string hosts;
    for (const auto& p : mx) hosts += (hosts.empty() ? "" : " ") + p.str();
    parts.push_back("mx " + hosts);
  }
  if (client_certificate) parts.push_back(fmt::format("shows the certificate {}", client_certificate->name));
  if (!waiver.sources.empty()) {
    std::string sources;
    for (const Waivable s : waiver.sources)
      sources += fmt::format("{}{}", sources.empty() ? "" : ", ", to_string(s));
    parts.push_back(
        fmt::format("ignores {} until {} ({})", sources, base::format_time(waiver.until), waiver.reason));
  }
  if (rate) parts.push_back(fmt::format("at most {} messages", rate->str()));
  if (concurrency) parts.push_back(fmt::format("at most {} connections", *concurrency));
  return fmt::format("{}", fmt::join(parts, "; "));
}

bool Rule::lists(std::string_view host) const {
  return std::any_of(mx.begin(), mx.end(), [host](const auto& p) { return p.matches(host); });
}

bool Rule::binds() const {
  const bool by_level = level && *level != Level::none && *level != Level::may;
  return by_level || min_protocol || !pins.empty() || !mx.empty();
}

bool Rule::only_limits() const {
  return (rate || concurrency) && !level && pins.empty() && mx.empty() && !min_protocol &&
         !client_certificate && waiver.sources.empty();
}

std::vector<std::string> Limit::sentences() const {
  std::vector<std::string> out;
  if (rate) out.push_back(fmt::format("the rate of {}: {}", rate->str(), rate->rate->str()));
  if (concurrency) {
    out.push_back(
        fmt::format("the concurrency of {}: {} connections", concurrency->str(), *concurrency->concurrency));
  }
  return out;
}

base::Result<RuleBook> RuleBook::make(std::vector<Rule> rules) {
  RuleBook out;
  for (Rule& rule : rules) out.rules_.push_back(std::make_shared<const Rule>(std::move(rule)));
  const auto before = [](const auto& a, const auto& b) {
    if (a->subject != b->subject) return a->subject < b->subject;
    if (a->pattern.specificity() != b->pattern.specificity())
      return a->pattern.specificity() > b->pattern.specificity();
    return a->pattern.str() < b->pattern.str();
  };
  std::sort(out.rules_.begin(), out.rules_.end(), before);
  const auto same = [](const auto& a, const auto& b) {
    return a->subject == b->subject && a->pattern == b->pattern;
  };
  const auto twice = std::adjacent_find(out.rules_.begin(), out.rules_.end(), same);
  if (twice != out.rules_.end()) {
    return base::fail("policy.rule", (*twice)->str() + " is there twice: make one of the two");
  }
  std::copy_if(out.rules_.begin(), out.rules_.end(), std::back_inserter(out.limits_),
               [](const auto& rule) { return rule->rate || rule->concurrency; });
  return out;
}

std::shared_ptr<const Rule> RuleBook::find(Rule::Subject subject, std::string_view name) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const auto& rule) {
    return rule->subject == subject && !rule->only_limits() && rule->pattern.matches(name);
  });
  return found == rules_.end() ? nullptr : *found;
}

Limit RuleBook::limit_of(Rule::Subject subject, std::string_view name) const {
  Limit out;
  for (const auto& rule : limits_) {
    if (rule->subject != subject || !rule->pattern.matches(name)) continue;
    if (!out.rate && rule->rate) out.rate = rule;
    if (!out.concurrency && rule->concurrency) out.concurrency = rule;
  }
  return out;
}

std::shared_ptr<const Rule> RuleBook::for_domain(std::string_view domain) const {
  return find(Rule::Subject::domain, domain);
}
std::shared_ptr<const Rule> RuleBook::for_host(std::string_view host) const {
  return find(Rule::Subject::host, host);
}

}  // namespace pinnace::policy
