#include "app/decision_json.hpp"

namespace pinnace::app {
namespace json = boost::json;

json::array to_json(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

json::object to_json(const policy::Decision& d) {
  json::array requirements;
  for (const policy::Requirement& r : d.requirements) {
    json::array pins, tlsa;
    for (const auto& pin : r.pins) pins.emplace_back(pin.str());
    for (const auto& record : r.tlsa) tlsa.emplace_back(record.str());
    json::object one;
    one["source"] = to_string(r.source);
    one["demand"] = to_string(r.demand);
    one["enforced"] = r.enforced;
    one["sentence"] = r.sentence;
    if (!pins.empty()) one["pins"] = std::move(pins);
    if (!tlsa.empty()) one["tlsa"] = std::move(tlsa);
    if (!r.names.empty()) one["names"] = to_json(r.names);
    if (r.demand == policy::Demand::protocol) one["min_protocol"] = to_string(r.protocol);
    requirements.push_back(std::move(one));
  }
  json::object out;
  out["tls"] = d.tls_required ? "required" : d.tls_never ? "never" : "if offered";
  out["mx"] = to_string(d.mx);
  out["server_name"] = d.server_name;
  out["policy"] = d.summary();
  if (d.client_certificate) out["client_certificate"] = d.client_certificate->name;
  out["requirements"] = std::move(requirements);
  out["notes"] = to_json(d.notes);
  return out;
}

namespace {

std::string_view kind_of(const dns::MailHosts& hosts) {
  switch (hosts.kind) {
    case dns::MailHosts::Kind::hosts:
      return hosts.implicit ? "implicit" : "hosts";
    case dns::MailHosts::Kind::null_mx:
      return "null-mx";
    case dns::MailHosts::Kind::no_domain:
      return "no-domain";
    case dns::MailHosts::Kind::failure:
      break;
  }
  return "failure";
}

}  // namespace

json::object to_json(const dns::MailHosts& hosts) {
  json::object out;
  out["kind"] = kind_of(hosts);
  out["dnssec"] = to_string(hosts.security);
  out["hosts"] = to_json(hosts.hosts);
  out["detail"] = hosts.detail;
  return out;
}

json::object to_json(const discovery::StsFound& sts) {
  json::object out;
  const bool failed = sts.kind == discovery::StsFound::Kind::failure;
  out["kind"] = failed ? "failure" : sts.cached ? "policy" : "none";
  out["detail"] = sts.detail;
  if (!sts.problem.empty()) out["problem"] = sts.problem;
  if (!sts.cached) return out;
  const sts::Cached& c = *sts.cached;
  out["id"] = c.id;
  out["mode"] = to_string(c.policy.mode);
  json::array mx, pins;
  for (const auto& pattern : c.policy.mx) mx.emplace_back(pattern.str());
  for (const auto& pin : c.policy.pins) pins.emplace_back(pin.str());
  out["mx"] = std::move(mx);
  out["max_age"] = c.policy.max_age.count();
  out["fetched"] = base::format_time(c.fetched);
  out["expires"] = base::format_time(c.expires());
  out["refresh"] = base::format_time(c.refresh);
  if (!pins.empty()) out["pin-sha256"] = std::move(pins);
  return out;
}

json::object to_json(const dane::HostTlsa& tlsa) {
  using Kind = dane::HostTlsa::Kind;
  json::object out;
  out["kind"] = tlsa.kind == Kind::records   ? "records"
                : tlsa.kind == Kind::failure ? "failure"
                : tlsa.kind == Kind::none    ? "none"
                                             : "not-applicable";
  out["base"] = tlsa.base;
  out["detail"] = tlsa.detail;
  json::array records;
  for (const dane::Tlsa& record : tlsa.records) {
    const std::string why = dane::why_unusable(record);
    json::object one;
    one["record"] = record.str();
    one["usable"] = why.empty();
    if (!why.empty()) one["problem"] = why;
    records.push_back(std::move(one));
  }
  out["records"] = std::move(records);
  return out;
}

}  // namespace pinnace::app
