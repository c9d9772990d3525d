#include "discovery/gatherer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::discovery {

std::optional<io::IpAddress> address_literal(const std::string& domain) {
  if (!domain.starts_with('[') || !domain.ends_with(']')) return std::nullopt;
  std::string inside = domain.substr(1, domain.size() - 2);
  if (inside.size() > 5 && (inside.starts_with("IPv6:") || inside.starts_with("ipv6:")))
    inside = inside.substr(5);
  const auto address = io::IpAddress::parse(inside);
  return address ? std::optional(*address) : std::nullopt;
}

Gatherer::Gatherer(const base::Clock& clock, Routes& routes, StsPolicies& sts, PinStore* pins,
                   std::uint16_t port)
    : clock_(clock), routes_(routes), sts_(sts), pins_(pins), port_(port) {}

std::string Gatherer::binding_name(const std::string& host) const {
  return port_ == 25 ? host : fmt::format("{}:{}", host, port_);
}

std::pair<std::uint64_t, std::uint64_t> Gatherer::version() const {
  return {rules_set_, pins_ ? pins_->changes() : 0};
}

io::Task<base::Result<DomainFacts>> Gatherer::domain(std::string domain) {
  DomainFacts out;
  out.domain = domain;
  if (auto route = fixed_.find(domain)) {
    out.hosts = route->hosts;
    StsFound none;
    none.detail = "not asked for: the mail goes by a route of the operator's";
    out.sts = std::make_shared<const StsFound>(std::move(none));
    out.route = std::move(route);
    co_return out;
  }
  if (address_literal(domain)) {
    dns::MailHosts itself;
    itself.kind = dns::MailHosts::Kind::hosts;
    itself.hosts = {domain};
    out.hosts = std::make_shared<const dns::MailHosts>(std::move(itself));
    out.sts = std::make_shared<const StsFound>();
    co_return out;
  }
  const auto name = names::Domain::parse(domain);
  if (!name) co_return base::fail("discovery.domain", name.error().detail);
  out.hosts = co_await routes_.hosts(*name);
  out.sts = co_await sts_.find(*name);
  co_return out;
}

io::Task<void> Gatherer::check_sts_again(std::string domain) {
  const auto name = names::Domain::parse(domain);
  if (name) co_await sts_.check_again(*name);
}

base::Result<> Gatherer::add_noted(policy::Facts& facts) const {
  if (!pins_) return {};
  auto host_pins = pins_->find(pins::Scope::host, facts.host);
  if (!host_pins) return std::unexpected(host_pins.error());
  // docs/decisions/0007: what a domain noted of its hosts binds those, not the operator's.
  if (facts.route.empty()) {
    auto domain_pins = pins_->find(pins::Scope::domain, facts.domain);
    if (!domain_pins) return std::unexpected(domain_pins.error());
    facts.domain_pins = std::move(*domain_pins);
  }
  auto stsec = pins_->find_stsec(facts.host);
  if (!stsec) return std::unexpected(stsec.error());
  facts.host_pins = std::move(*host_pins);
  facts.stsec = std::move(*stsec);
  return {};
}

std::string Gatherer::bound(const DomainFacts& domain) const {
  if (pins_) {
    const auto pinned = pins_->find(pins::Scope::domain, domain.domain);
    if (!pinned || (*pinned && (*pinned)->enforced(clock_.now()))) return "pins are noted of this domain";
  }
  if (domain.sts->kind == StsFound::Kind::failure ||
      (domain.sts->cached && domain.sts->cached->policy.mode == sts::Mode::enforce)) {
    return "this domain has an MTA-STS policy";
  }
  const auto rule = rules_->for_domain(domain.domain);
  return rule && rule->binds() ? "there is " + rule->str() : "";
}

policy::Bound Gatherer::bound(const DomainFacts& domain, const std::string& host) const {
  policy::Bound out = policy::Bound::nothing;
  const base::Time now = clock_.now();
  const auto by_domain = rules_->for_domain(domain.domain), by_host = rules_->for_host(host);
  const auto waived = [&](policy::Waivable source) {
    return (by_domain && by_domain->waiver.covers(source, now)) ||
           (by_host && by_host->waiver.covers(source, now));
  };
  for (const auto& rule : {by_domain, by_host}) {
    if (!rule || !rule->binds()) continue;
    const bool tls =
        rule->pins.empty() && rule->mx.empty() && (!rule->level || *rule->level == policy::Level::encrypt);
    out = std::max(out, tls ? policy::Bound::tls : policy::Bound::proof);
  }
  if (!pins_) return out;
  const auto enforced = [now](const auto& found) { return !found || (*found && (*found)->enforced(now)); };
  if (!waived(policy::Waivable::pkp) && (enforced(pins_->find(pins::Scope::host, binding_name(host))) ||
                                         enforced(pins_->find(pins::Scope::domain, domain.domain)))) {
    return policy::Bound::proof;
  }
  const auto stsec = pins_->find_stsec(binding_name(host));
  if (!stsec) return policy::Bound::proof;
  const bool said = *stsec && now < (*stsec)->expires && !waived(policy::Waivable::stsec);
  return said ? std::max(out, policy::Bound::tls) : out;
}

// The host's addresses and its TLSA records.
io::Task<base::Result<>> Gatherer::find_host(HostFacts& out, std::uint16_t port) {
  policy::Facts& facts = out.facts;
  if (const auto address = address_literal(facts.host_name)) {
    dns::Addresses one;
    one.kind = dns::Addresses::Kind::found;
    one.addresses = {*address};
    out.addresses = std::make_shared<const dns::Addresses>(std::move(one));
    facts.no_mx = true;
    facts.tlsa.detail = "an address literal has no TLSA records";
    co_return base::Result<>{};
  }
  out.addresses = co_await routes_.addresses(facts.host_name);
  if (out.addresses->kind != dns::Addresses::Kind::found) {
    const bool none = out.addresses->kind == dns::Addresses::Kind::none;
    co_return base::fail(none ? "discovery.no_address" : "discovery.address", out.addresses->detail);
  }
  const auto tlsa = co_await routes_.tlsa(facts.host_name, port, out.addresses);
  facts.tlsa = tlsa->tlsa;
  out.ttl = std::min(out.addresses->ttl, tlsa->ttl);
  co_return base::Result<>{};
}

io::Task<base::Result<HostFacts>> Gatherer::host(DomainFacts domain, std::string host) {
  HostFacts out;
  policy::Facts& facts = out.facts;
  const NextHop* hop = domain.route ? domain.route->find(host) : nullptr;
  facts.domain = domain.domain;
  facts.canonical = domain.hosts->canonical;
  facts.host = hop ? hop->binding() : binding_name(host);
  facts.host_name = hop ? hop->host : host;
  facts.mx_secure = domain.hosts->security == dns::Security::secure;
  // An alias of the domain was named by the DNS as any MX host is.
  facts.no_mx = domain.hosts->implicit && host == domain.domain;
  facts.now = clock_.now();
  if (hop) facts.route = fmt::format("{} to {}", to_string(domain.route->protocol), hop->str());
  if (hop && hop->local()) {
    facts.local = true;
    out.addresses = std::make_shared<const dns::Addresses>();
    co_return out;
  }
  const std::uint16_t port = hop ? hop->port : port_;
  const auto known = co_await find_host(out, port);
  if (!known) co_return std::unexpected(known.error());
  if (domain.sts->cached) facts.sts = *domain.sts->cached;
  facts.sts_detail = domain.sts->detail;
  facts.sts_failed = domain.sts->kind == StsFound::Kind::failure;
  facts.sts_unsure = domain.sts->unsure;
  facts.domain_rule = rules_->for_domain(domain.domain);
  facts.host_rule = rules_->for_host(facts.host_name);
  if (auto noted = add_noted(facts); !noted) co_return std::unexpected(noted.error());
  co_return out;
}

}  // namespace pinnace::discovery
