#include "dns/mail_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::dns {
namespace {

// RFC 1035 2.3.3: the end of an alias comes in any case; pins, rules and loops are looked for in one.
std::string canonical_of(const Answer& answer) {
  const auto name = names::Domain::parse(answer.canonical);
  return name ? name->str() : answer.canonical;
}

}  // namespace

MailHosts mail_hosts_from(const Answer& answer, const names::Domain& domain,
                          const std::function<std::size_t(std::size_t)>& random) {
  MailHosts out;
  out.security = answer.security;
  out.ttl = answer.ttl;
  const std::string canonical = canonical_of(answer);
  if (canonical != domain.str()) out.canonical = canonical;
  switch (answer.kind) {
    case Answer::Kind::failure:
      out.detail = answer.detail;
      return out;
    case Answer::Kind::no_domain:
      out.kind = MailHosts::Kind::no_domain;
      out.detail = fmt::format("the domain {} does not exist", domain.str());
      return out;
    case Answer::Kind::no_data:
      // RFC 5321 5.1: without MX the domain is its own mail host; with MX it never is.
      out.kind = MailHosts::Kind::hosts;
      out.implicit = true;
      out.hosts = {canonical.empty() ? domain.str() : canonical};
      return out;
    case Answer::Kind::records:
      break;
  }
  std::vector<Mx> found;
  for (const std::string& rdata : answer.rdata) {
    if (auto mx = parse_mx(rdata)) found.push_back(std::move(*mx));
  }
  // RFC 7505 3: one MX of the root alone; beside others it means nothing.
  if (found.size() == 1 && found[0].host.empty()) {
    out.kind = MailHosts::Kind::null_mx;
    out.detail = fmt::format("the domain {} takes no mail (null MX)", domain.str());
    return out;
  }
  std::erase_if(found, [](const Mx& mx) { return mx.host.empty(); });
  if (found.empty()) {
    out.detail = fmt::format("no MX record of {} names a host", domain.str());
    return out;
  }
  for (std::size_t i = found.size(); i > 1; --i) std::swap(found[i - 1], found[random(i)]);
  std::sort(found.begin(), found.end(), [](const Mx& a, const Mx& b) { return a.preference < b.preference; });
  for (const Mx& mx : found) {
    if (out.hosts.size() == MailHosts::kMostHosts) break;
    if (std::find(out.hosts.begin(), out.hosts.end(), mx.host) != out.hosts.end()) continue;
    out.hosts.push_back(mx.host);
    out.preferences.push_back(mx.preference);
  }
  out.kind = MailHosts::Kind::hosts;
  return out;
}

io::Task<MailHosts> find_mail_hosts(Resolver& resolver, names::Domain domain,
                                    std::function<std::size_t(std::size_t)> random) {
  const Answer answer = co_await resolver.query(domain.str(), Type::mx);
  co_return mail_hosts_from(answer, domain, random);
}

Addresses addresses_from(const Answer& v4, const Answer& v6, const std::string& host) {
  Addresses out;
  bool first = true;
  const auto add = [&](const Answer& answer, auto parse) {
    if (answer.kind != Answer::Kind::records) return;
    std::size_t of_family = 0;
    for (const std::string& rdata : answer.rdata) {
      const auto address = parse(rdata);
      if (address && of_family++ < Addresses::kMostOfFamily) out.addresses.push_back(*address);
    }
    if (!answer.canonical.empty()) out.canonical = canonical_of(answer);
    out.ttl = first ? answer.ttl : std::min(out.ttl, answer.ttl);
    first = false;
  };
  add(v6, parse_aaaa);
  add(v4, parse_a);
  // Of the families that were answered: a failed lookup of the other must not turn DANE off.
  const auto vouched = [](const Answer& answer) {
    return answer.kind == Answer::Kind::failure || answer.security == Security::secure;
  };
  out.security = vouched(v4) && vouched(v6) ? Security::secure : Security::insecure;
  const Answer* bogus = v4.security == Security::bogus ? &v4 : v6.security == Security::bogus ? &v6 : nullptr;
  if (bogus) {
    // RFC 7672 2.1.2. A bogus answer is never "no record", though the other family stands.
    out.security = Security::bogus;
    out.addresses.clear();
    out.detail = bogus->detail;
  } else if (!out.addresses.empty()) {
    out.kind = Addresses::Kind::found;
  } else if (v4.kind == Answer::Kind::failure || v6.kind == Answer::Kind::failure) {
    out.detail = v4.kind == Answer::Kind::failure ? v4.detail : v6.detail;
  } else {
    out.kind = Addresses::Kind::none;
    out.detail = fmt::format("the host {} has no address", host);
  }
  return out;
}

io::Task<Addresses> find_addresses(Resolver& resolver, std::string host) {
  const Answer v4 = co_await resolver.query(host, Type::a);
  const Answer v6 = co_await resolver.query(host, Type::aaaa);
  co_return addresses_from(v4, v6, host);
}

}  // namespace pinnace::dns
