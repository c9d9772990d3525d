#include "app/check_output.hpp"
#include "app/decision_json.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::array lines_of(const std::vector<check::Line>& lines) {
  json::array out;
  for (const check::Line& line : lines) {
    json::object one;
    one["item"] = check::to_string(line.item);
    one["verdict"] = check::to_string(line.verdict);
    one["text"] = line.text;
    one["remedy"] = text_or_null(line.remedy);
    out.push_back(std::move(one));
  }
  return out;
}

json::object certificate(const delivery::LeafSeen& leaf) {
  json::object out;
  out["subject"] = leaf.subject;
  out["issuer"] = leaf.issuer;
  out["dns_names"] = to_json(leaf.dns_names);
  out["not_after"] = base::format_time(leaf.not_after);
  out["names_host"] = leaf.names_host;
  out["webpki_valid"] = leaf.webpki_problem.empty();
  out["webpki_problem"] = text_or_null(leaf.webpki_problem);
  out["key_sha256"] = leaf.key_sha256;
  return out;
}

json::value pins(const std::optional<delivery::PinsSeen>& seen) {
  if (!seen) return nullptr;
  json::object out;
  out["valid"] = seen->advert.has_value();
  out["problems"] = to_json(seen->problems);
  if (!seen->advert) return out;
  json::array all;
  for (const auto& p : seen->advert->pins) all.emplace_back(p.pin.str());
  out["pins"] = std::move(all);
  if (seen->advert->max_age) out["max_age"] = seen->advert->max_age->count();
  out["scope"] = pins::to_string(seen->advert->scope);
  out["mode"] = pins::to_string(seen->advert->mode);
  out["would_note"] = seen->not_noted.empty();
  out["why_not"] = text_or_null(seen->not_noted);
  out["authenticated"] = seen->authenticated;
  return out;
}

json::value stsec(const std::optional<delivery::StsecSeen>& seen) {
  if (!seen) return nullptr;
  json::object out;
  out["valid"] = seen->stsec.has_value();
  if (seen->stsec) out["max_age"] = seen->stsec->max_age.count();
  out["problem"] = text_or_null(seen->problem);
  return out;
}

json::object address(const delivery::Probed& p, const check::AddressReport& report) {
  json::object out;
  out["address"] = report.address;
  out["usable"] = p.usable;
  out["unreachable"] = text_or_null(p.unreachable);
  out["policy_problem"] = text_or_null(p.verdict.sentence);
  out["status"] = text_or_null(p.verdict.usable ? "" : p.verdict.status);
  out["no_tls"] = text_or_null(p.no_tls);
  if (p.version.empty()) {
    out["tls"] = nullptr;
  } else {
    out["tls"] = json::object{{"version", p.version}, {"cipher", p.cipher}, {"verified_by", p.verified_by}};
    out["certificate"] = certificate(p.leaf);
    json::array records;
    for (const auto& t : p.tlsa) {
      records.push_back(json::object{{"record", t.record.str()},
                                     {"usable", t.unusable.empty()},
                                     {"problem", text_or_null(t.unusable)},
                                     {"matches", t.matches}});
    }
    out["tlsa"] = std::move(records);
    out["pkp"] = pins(p.pins);
    out["stsec"] = stsec(p.stsec);
    out["requiretls"] = p.offers_requiretls;
  }
  out["before_tls"] = to_json(p.before_tls);
  out["lines"] = lines_of(report.lines);
  return out;
}

json::object host(const check::HostFacts& facts, const check::HostReport& report) {
  json::object out;
  out["host"] = facts.host;
  out["verdict"] = check::to_string(report.verdict);
  out["lines"] = lines_of(report.lines);
  json::array addresses;
  for (std::size_t i = 0; i < facts.probed.size(); ++i)
    addresses.push_back(address(facts.probed[i], report.addresses[i]));
  out["addresses"] = std::move(addresses);
  if (!facts.no_address.empty()) return out;
  out["dnssec"] = to_string(facts.addresses.security);
  out["tlsa"] = to_json(facts.tlsa);
  out["decision"] = to_json(facts.decision);
  return out;
}

json::object sts(const check::StsFacts& facts) {
  discovery::StsFound found;
  if (facts.policy) found.cached = std::make_shared<const sts::Cached>(*facts.policy);
  found.detail = facts.detail;
  found.problem = facts.problem;
  if (facts.unknown) found.kind = discovery::StsFound::Kind::failure;
  json::object out = to_json(found);
  out["record"] = facts.txt.declared;
  out["record_valid"] = facts.txt.parsed.txt.has_value();
  out["record_problems"] = to_json(facts.txt.parsed.problems);
  return out;
}

json::object tlsrpt(const check::TxtFacts<tlsrpt::ParsedTxt>& facts) {
  json::object out;
  out["record"] = facts.declared;
  out["record_valid"] = facts.parsed.txt.has_value();
  out["record_problems"] = to_json(facts.parsed.problems);
  out["failure"] = text_or_null(facts.failure);
  out["rua"] = facts.parsed.txt ? to_json(facts.parsed.txt->rua) : json::array();
  return out;
}

}  // namespace

json::object check_json(const check::DomainFacts& facts, const check::DomainReport& report) {
  json::object out;
  out["domain"] = report.domain;
  out["verdict"] = check::to_string(report.verdict);
  out["summary"] = report.summary;
  out["checked"] = base::format_time(facts.now);
  out["lines"] = lines_of(report.lines);
  out["mx"] = to_json(facts.mx);
  out["sts"] = sts(facts.sts);
  out["tlsrpt"] = tlsrpt(facts.tlsrpt);
  json::array hosts;
  for (std::size_t i = 0; i < facts.hosts.size(); ++i) hosts.push_back(host(facts.hosts[i], report.hosts[i]));
  out["hosts"] = std::move(hosts);
  return out;
}

}  // namespace pinnace::app
