#include "policyd/lookup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "policy/decide.hpp"

namespace pinnace::policyd {
namespace {

using socketmap::Destination;

// What the operator of Postfix named himself: no MX is asked for (docs/decisions/0007).
base::Result<discovery::DomainFacts> host_facts(const Destination& key, std::uint16_t port) {
  using Route = discovery::FixedRoute;
  auto hop = discovery::NextHop::parse(fmt::format("{}:{}", key.name, port));
  if (!hop) return std::unexpected(hop.error());
  const auto whom = policy::NamePattern::parse(key.name);
  if (!whom) return std::unexpected(whom.error());
  discovery::DomainFacts out;
  out.domain = key.name;
  out.route = std::make_shared<const Route>(*whom, Route::Protocol::smtp, std::vector{std::move(*hop)});
  out.hosts = out.route->hosts;
  out.sts = std::make_shared<const discovery::StsFound>();
  return out;
}

bool enforces_pins(const policy::Decision& decision) {
  return std::any_of(decision.requirements.begin(), decision.requirements.end(), [](const auto& r) {
    const bool noted = r.source == policy::Source::pkp_host || r.source == policy::Source::pkp_domain;
    return noted && r.enforced;
  });
}

// Not to be used now for want of its TLSA records alone, or not known at all.
bool kept_by_dns(const postfix::HostKnown& host) {
  if (!host.decision) return true;
  bool tlsa = false, else_unmet = false;
  for (const policy::Requirement& r : host.decision->requirements) {
    if (!r.enforced || r.demand != policy::Demand::unmet) continue;
    (r.source == policy::Source::dane ? tlsa : else_unmet) = true;
  }
  return tlsa && !else_unmet;
}

void add_ends(const std::optional<pins::PinSet>& set, std::vector<base::Time>& to) {
  if (!set) return;
  for (const pins::NotedPin& pin : set->pins) to.push_back(pin.expires);
}

}  // namespace

Lookup::Lookup(io::Loop& loop, discovery::Gatherer gatherer, Destination key, std::uint16_t port)
    : loop_(loop), gatherer_(std::move(gatherer)), key_(std::move(key)), port_(port), timer_(loop) {}

io::Task<void> Lookup::run(std::shared_ptr<Lookup> self, base::Milliseconds timeout) {
  self->loop_.spawn(gather(self));
  if (self->ended_) co_return;
  const bool late = co_await self->timer_.wait(timeout);
  (void)late;  // what is not there is not waited for
}

void Lookup::end() {
  ended_ = true;
  timer_.cancel();
}

io::Task<void> Lookup::gather(std::shared_ptr<Lookup> self) {
  if (self->key_.kind == Destination::Kind::host) {
    self->domain_ = host_facts(self->key_, self->port_);
  } else {
    auto found = co_await self->gatherer_.domain(self->key_.name);
    self->domain_ = std::move(found);
  }
  const auto& domain = *self->domain_;
  if (!domain || domain->hosts->kind != dns::MailHosts::Kind::hosts) co_return self->end();
  for (const std::string& host : domain->hosts->hosts) {
    Host one;
    one.name = host;
    self->hosts_.push_back(std::move(one));
  }
  self->left_ = self->hosts_.size();
  if (self->left_ == 0) co_return self->end();
  const std::size_t all = self->hosts_.size();
  for (std::size_t i = 0; i < all; ++i) self->loop_.spawn(gather_host(self, i));
}

io::Task<void> Lookup::gather_host(std::shared_ptr<Lookup> self, std::size_t at) {
  discovery::DomainFacts domain = **self->domain_;
  std::string name = self->hosts_[at].name;
  auto found = co_await self->gatherer_.host(std::move(domain), std::move(name));
  Host& host = self->hosts_[at];
  if (found) host.decision = std::make_shared<const policy::Decision>(policy::decide(found->facts));
  host.found = std::move(found);
  if (--self->left_ == 0) self->end();
}

// Whatever hosts the DNS names.
bool Lookup::bound() const {
  const discovery::DomainFacts& domain = **domain_;
  const auto rule = gatherer_.rules()->for_host(key_.name);
  return !gatherer_.bound(domain).empty() || domain.sts->cached || (rule && rule->binds());
}

// Of a domain without hosts. Postfix asks when it has found a host to connect to: where that could be held to
// anything, the two answers of the DNS are not to be chosen from.
postfix::DomainKnown Lookup::none(base::Time now, bool bound_before) const {
  using Kind = postfix::DomainKnown::Kind;
  postfix::DomainKnown out;
  out.domain = key_.name;
  out.now = now;
  if (!domain_ || !*domain_) {
    out.detail = domain_ ? domain_->error().detail : "the DNS did not answer in time";
    return out;
  }
  const dns::MailHosts& hosts = *(*domain_)->hosts;
  out.detail = hosts.detail;
  if (hosts.kind == dns::MailHosts::Kind::failure) return out;
  if (bound_before || bound()) {
    out.detail += ": and there are policies that any other host would be held to";
    return out;
  }
  out.kind = Kind::no_mail;
  return out;
}

postfix::DomainKnown Lookup::known(base::Time now, bool bound_before) const {
  using Kind = postfix::DomainKnown::Kind;
  if (!domain_ || !*domain_ || (*domain_)->hosts->kind != dns::MailHosts::Kind::hosts)
    return none(now, bound_before);
  const discovery::DomainFacts& domain = **domain_;
  postfix::DomainKnown out;
  out.kind = Kind::hosts;
  out.domain = key_.name;
  out.now = now;
  // What the operator of Postfix named needs nobody to vouch for it.
  out.mx_secure = key_.kind != Destination::Kind::domain || domain.hosts->security == dns::Security::secure;
  out.sts = domain.sts->cached;
  out.sts_problem = domain.sts->problem;
  for (const Host& host : hosts_) {
    postfix::HostKnown one;
    one.host = host.name;
    if (!host.found) {
      one.problem = fmt::format("the DNS did not answer for {} in time", host.name);
    } else if (!*host.found) {
      one.problem = host.found->error().detail;
    } else {
      one.host = (*host.found)->facts.host_name;
      one.decision = host.decision;
    }
    if (!one.decision) one.bound = gatherer_.bound(domain, host.name);
    out.hosts.push_back(std::move(one));
  }
  // RFC 5321 5.1: a domain that has neither an MX nor an address.
  const bool nowhere = domain.hosts->implicit && hosts_.size() == 1 && hosts_[0].found && !*hosts_[0].found &&
                       hosts_[0].found->error().code == "discovery.no_address";
  if (nowhere && !bound_before && !bound()) {
    out.kind = Kind::no_mail;
    out.detail = out.hosts[0].problem;
  }
  return out;
}

void Lookup::see(const Prober& prober, postfix::DomainKnown& known) const {
  if (known.kind != postfix::DomainKnown::Kind::hosts) return;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const Host& host = hosts_[i];
    if (host.decision) known.hosts[i].seen = prober.seen((*host.found)->facts.host, *host.decision);
  }
}

void Lookup::probe(Prober& prober, bool needed) const {
  for (const Host& host : hosts_) {
    if (host.decision) prober.want(**host.found, host.decision, {key_.name, needed});
  }
}

bool Lookup::failed(const postfix::DomainKnown& known) {
  using Kind = postfix::DomainKnown::Kind;
  if (known.kind != Kind::hosts) return known.kind == Kind::failure;
  return std::all_of(known.hosts.begin(), known.hosts.end(), kept_by_dns);
}

bool Lookup::failed_in_part(const postfix::DomainKnown& known) {
  return failed(known) || std::any_of(known.hosts.begin(), known.hosts.end(), kept_by_dns);
}

bool Lookup::keeps(const postfix::DomainKnown& known) {
  if (known.sts && known.sts->live(known.now) && known.sts->policy.mode == sts::Mode::enforce) return true;
  return std::any_of(known.hosts.begin(), known.hosts.end(),
                     [](const auto& h) { return h.decision && enforces_pins(*h.decision); });
}

base::Seconds Lookup::ttl() const {
  base::Seconds out = std::chrono::hours(1);
  if (!domain_ || !*domain_) return out;
  // What the operator named has no time of its own, nor has an address.
  if (key_.kind == Destination::Kind::domain) out = std::min(out, (*domain_)->hosts->ttl);
  const discovery::StsFound& sts = *(*domain_)->sts;
  if (sts.unsure || !sts.problem.empty()) out = std::min<base::Seconds>(out, sts::kFetchPause);
  for (const Host& host : hosts_) {
    // A host that is left out may be well again soon.
    if (!host.decision) return base::Seconds(0);
    if (key_.kind != Destination::Kind::address) out = std::min(out, (*host.found)->ttl);
  }
  return out;
}

std::vector<base::Time> Lookup::ends() const {
  std::vector<base::Time> out;
  if (domain_ && *domain_ && (*domain_)->sts->cached) out.push_back((*domain_)->sts->cached->expires());
  for (const Host& host : hosts_) {
    if (!host.decision) continue;
    const policy::Facts& facts = (*host.found)->facts;
    add_ends(facts.host_pins, out);
    add_ends(facts.domain_pins, out);
    if (facts.stsec) out.push_back(facts.stsec->expires);
  }
  return out;
}

std::vector<std::string> Lookup::bound_to() const {
  std::vector<std::string> out;
  for (const Host& host : hosts_) {
    const bool known = host.found && *host.found;
    std::string name = known ? (*host.found)->facts.host : gatherer_.binding_name(host.name);
    out.push_back(std::move(name));
  }
  out.push_back(index_of_domain(key_.name));
  return out;
}

bool Lookup::uses(const std::string& binding) const {
  if (!domain_) return false;  // it has read nothing yet
  const auto all = bound_to();
  return std::find(all.begin(), all.end(), binding) != all.end();
}

}  // namespace pinnace::policyd
