#include "app/explanation.hpp"

#include <fmt/format.h>

#include "app/decision_json.hpp"
#include "app/rule_report.hpp"
#include "names/mail_address.hpp"
#include "policy/judge.hpp"
#include "policyd/lookup.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

// One host's facts and the decision about it.
io::Task<json::object> explain_host(discovery::Gatherer& gatherer, discovery::DomainFacts domain,
                                    std::string host, policy::Wish wish) {
  json::object out;
  out["host"] = host;
  out["usable"] = false;
  auto found = co_await gatherer.host(domain, host);
  if (!found) {
    out["problem"] = found.error().detail;
    co_return out;
  }
  if (!found->facts.local) {
    json::array addresses;
    for (const auto& address : found->addresses->addresses) addresses.emplace_back(address.str());
    out["addresses"] = std::move(addresses);
    out["dnssec"] = to_string(found->addresses->security);
    out["tlsa"] = to_json(found->facts.tlsa);
  }
  out["limits"] = to_json(gatherer.rules()->limit_of(policy::Rule::Subject::host, found->facts.host_name));
  found->facts.wish = wish;
  const policy::Decision decision = policy::decide(found->facts);
  const policy::Verdict verdict = policy::judge_forbidden(decision);
  out["decision"] = to_json(decision);
  out["usable"] = verdict.usable;
  if (!verdict.usable) {
    out["status"] = verdict.status;
    out["problem"] = verdict.sentence;
  }
  co_return out;
}

std::string verdict_of(const dns::MailHosts& mx, const std::string& first_usable, bool any) {
  switch (mx.kind) {
    case dns::MailHosts::Kind::failure:
      return "mail would wait: " + mx.detail;
    case dns::MailHosts::Kind::null_mx:
    case dns::MailHosts::Kind::no_domain:
      return "no mail can go there: " + mx.detail;
    case dns::MailHosts::Kind::hosts:
      break;
  }
  return any ? fmt::format("mail would be tried at {} first, under the policy shown", first_usable)
             : "mail would wait: none of the hosts may be used now";
}

// As an entry of smtp_tls_policy_maps, with what the caches have by now.
io::Task<json::object> postfix_told(Means means, std::string domain, postfix::Options options) {
  constexpr base::Seconds kTimeout{20};
  json::object out;
  const auto key = socketmap::Destination::parse(domain);
  if (!key) {
    out["told"] = nullptr;
    out["reason"] = key.error().detail;
    co_return out;
  }
  const discovery::Gatherer gatherer = means.gatherer;
  const auto lookup = std::make_shared<policyd::Lookup>(means.loop, gatherer, *key, means.port);
  co_await policyd::Lookup::run(lookup, kTimeout);
  postfix::DomainKnown known = lookup->known(means.clock.now(), false);
  if (means.prober) lookup->see(*means.prober, known);
  const postfix::Telling telling = postfix::tell(known, options);
  if (means.prober) lookup->probe(*means.prober, telling.wants_probe || telling.until);
  using Kind = postfix::Telling::Kind;
  out["told"] = telling.kind == Kind::ok          ? "OK " + telling.text
                : telling.kind == Kind::not_found ? "NOTFOUND"
                                                  : "TEMP " + telling.text;
  out["reason"] = telling.reason;
  out["notes"] = to_json(telling.notes);
  co_return out;
}

}  // namespace

base::Result<Question> read_question(const std::string& recipient, bool requiretls, bool tls_required_no) {
  if (requiretls && tls_required_no)
    return base::fail("app.usage", "one of --requiretls and --tls-required-no is expected, not both");
  Question out;
  out.recipient = recipient;
  out.wish = requiretls ? policy::Wish::require : tls_required_no ? policy::Wish::waive : policy::Wish::none;
  if (recipient.find('@') == std::string::npos) {
    const auto domain = names::Domain::parse(recipient);
    if (!domain) return std::unexpected(domain.error());
    out.recipient = domain->str();
    return out;
  }
  const auto mailbox = names::MailAddress::parse(recipient);
  if (!mailbox) return std::unexpected(mailbox.error());
  out.recipient = mailbox->str();
  return out;
}

io::Task<base::Result<json::value>> explain(Means means, Question question, postfix::Options options) {
  discovery::Gatherer& gatherer = means.gatherer;
  const std::size_t at = question.recipient.rfind('@');
  std::string name = at == std::string::npos ? question.recipient : question.recipient.substr(at + 1);
  const auto domain = co_await gatherer.domain(name);
  if (!domain) co_return std::unexpected(domain.error());
  json::array hosts;
  std::string first;
  for (const std::string& host : domain->hosts->hosts) {
    discovery::DomainFacts facts = *domain;
    json::object one = co_await explain_host(gatherer, std::move(facts), host, question.wish);
    if (first.empty() && one["usable"].as_bool()) first = host;
    hosts.push_back(std::move(one));
  }
  json::object out;
  out["recipient"] = question.recipient;
  out["domain"] = name;
  out["wish"] = question.wish == policy::Wish::require ? json::value("requiretls")
                : question.wish == policy::Wish::waive ? json::value("tls-required-no")
                                                       : json::value(nullptr);
  out["route"] = domain->route ? json::value(domain->route->str()) : json::value(nullptr);
  out["mx"] = to_json(*domain->hosts);
  out["sts"] = to_json(*domain->sts);
  out["limits"] = to_json(gatherer.rules()->limit_of(policy::Rule::Subject::domain, name));
  out["hosts"] = std::move(hosts);
  out["usable"] = !first.empty();
  out["verdict"] = verdict_of(*domain->hosts, first, !first.empty());
  json::object told = co_await postfix_told(means, name, std::move(options));
  out["postfix"] = std::move(told);
  co_return json::value(std::move(out));
}

}  // namespace pinnace::app
