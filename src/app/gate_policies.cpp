#include "app/gate_policies.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "tls/verify.hpp"

namespace pinnace::app {
namespace {

bool covers(const tls::ServerContext& tls, const std::string& host) {
  return std::ranges::any_of(tls.identities(), [&host](const tls::Identity& identity) {
    return std::ranges::any_of(identity.certificates, [&host](const tls::OwnCertificate& certificate) {
      return tls::name_matches(certificate.chain().dns_names(), host);
    });
  });
}

publish::Settings to_publish(const std::vector<publish::Domain>& domains, const gate::Face& face) {
  publish::Settings out;
  for (const gate::Face::Name& name : face.names()) {
    auto hostname = names::Domain::parse(name.host.hostname);
    if (!hostname) continue;
    publish::Host host{std::move(*hostname), {}, {}};
    for (const tls::OwnCertificate& certificate : name.host.certificates)
      host.live.push_back({certificate.chain().pins().front(), {}});
    for (const pins::Pin& pin : name.host.backups) host.backups.push_back({pin, {}});
    out.hosts.push_back(std::move(host));
  }
  out.domains = domains;
  return out;
}

}  // namespace

void PoliciesServed::set(std::vector<publish::Domain> domains, const gate::Face& face,
                         const tls::ServerContext& tls) {
  domains_ = std::move(domains);
  renew(face);
  const publish::Settings settings = to_publish(domains_, face);
  for (const publish::Domain& domain : domains_) {
    const auto policy = publish::policy_of(settings, domain);
    if (!policy) continue;
    base::log_info("policy", {{"domain", domain.name.str()},
                              {"mode", std::string(sts::to_string(policy->policy.mode))},
                              {"id", policy->id}});
    // RFC 8461 3.3: whoever fetches it demands a valid certificate of that name.
    const std::string host = publish::policy_host(domain.name);
    if (covers(tls, host)) continue;
    base::log_warning("policy_host_without_certificate",
                      {{"host", host},
                       {"what",
                        "no sender can fetch the policy: name a certificate for it in "
                        "gate.https.certificates"}});
  }
}

void PoliciesServed::renew(const gate::Face& face) {
  site_ = publish::PolicySite(to_publish(domains_, face));
}

http::Resource PoliciesServed::resource() {
  return {"GET", 0, [this](http::ServerRequest request) { return answer(std::move(request)); }};
}

io::Task<http::ServerResponse> PoliciesServed::answer(http::ServerRequest request) const {
  http::ServerResponse out;
  const auto text = site_.find(request.head.host, request.head.path);
  out.content_type = publish::kPolicyType;
  out.status = text ? 200 : 404;
  out.body = text ? std::string(*text) : "nothing is here\n";
  co_return out;
}

}  // namespace pinnace::app
