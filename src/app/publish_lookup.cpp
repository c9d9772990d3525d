#include "app/publish_lookup.hpp"

#include "dane/tlsa.hpp"
#include "dns/mail_hosts.hpp"
#include "sts/served.hpp"

namespace pinnace::app {
namespace {

constexpr std::size_t kAtOnce = 16;

// What stays the same in all records of a set. `read` gives a record of its wire form, or nothing.
template <class Record, class Read>
publish::ServedSet<Record> set_from(const dns::Answer& answer, Read read) {
  publish::ServedSet<Record> out;
  if (answer.kind == dns::Answer::Kind::failure) out.failure = answer.detail;
  out.secure = answer.security == dns::Security::secure;
  out.ttl = answer.ttl;
  for (const std::string& rdata : answer.rdata) {
    if (auto record = read(rdata)) out.records.push_back(std::move(*record));
  }
  return out;
}

io::Task<publish::ServedSet<std::string>> look_up_txt(dns::Resolver& resolver, std::string owner) {
  const dns::Answer answer = co_await resolver.query(std::move(owner), dns::Type::txt);
  co_return set_from<std::string>(answer, [](const std::string& r) { return dns::parse_txt(r); });
}

io::Task<publish::ServedHost> look_up_host(Lookups& lookups, const publish::Host& host) {
  publish::ServedHost out{host.name, {}, false, {}};
  const dns::Addresses addresses = co_await dns::find_addresses(lookups.resolver, host.name.str());
  if (addresses.kind != dns::Addresses::Kind::found) {
    out.failure = addresses.detail;
    co_return out;
  }
  out.addresses_secure = addresses.security == dns::Security::secure;
  for (const std::uint16_t port : host.ports) {
    std::string owner = dane::owner(host.name.str(), port);
    const dns::Answer answer = co_await lookups.resolver.query(std::move(owner), dns::Type::tlsa);
    out.tlsa.push_back(
        set_from<dane::Tlsa>(answer, [](const std::string& r) { return dane::Tlsa::parse_wire(r); }));
  }
  co_return out;
}

// Also where no record names it: the policy is there first.
io::Task<void> look_up_policy(Lookups& lookups, publish::ServedDomain& out) {
  std::string host = publish::policy_host(out.name);
  const dns::Addresses at = co_await dns::find_addresses(lookups.resolver, host);
  if (at.kind != dns::Addresses::Kind::found) {
    out.policy_failure = at.detail;
    co_return;
  }
  http::Request request{std::move(host), std::string(publish::kPolicyPath), at.addresses};
  const base::Result<http::Response> got = co_await lookups.fetcher.get(std::move(request));
  if (!got) {
    out.policy_failure = got.error().detail;
    co_return;
  }
  sts::Served served = sts::read_served(got->status, got->content_type, got->body);
  out.policy_failure = std::move(served.detail);
  out.policy = std::move(served.policy);
}

io::Task<publish::ServedDomain> look_up_domain(Lookups& lookups, const publish::Domain& domain) {
  publish::ServedDomain out{domain.name, {}, {}, {}, {}, {}};
  std::function<std::size_t(std::size_t)> first = [](std::size_t) { return std::size_t(0); };
  const dns::MailHosts mx = co_await dns::find_mail_hosts(lookups.resolver, domain.name, std::move(first));
  if (mx.kind == dns::MailHosts::Kind::failure || mx.kind == dns::MailHosts::Kind::no_domain)
    out.mx.failure = mx.detail;
  out.mx.secure = mx.security == dns::Security::secure;
  out.mx.records = mx.hosts;
  std::string owner = "_mta-sts." + domain.name.str();
  out.sts = co_await look_up_txt(lookups.resolver, std::move(owner));
  owner = "_smtp._tls." + domain.name.str();
  out.tlsrpt = co_await look_up_txt(lookups.resolver, std::move(owner));
  co_await look_up_policy(lookups, out);
  co_return out;
}

// So many at the same time, the next as one ends.
struct Work {
  Work(Lookups& l, const publish::Settings& s) : lookups(l), settings(s), ended(l.loop) {}
  Lookups& lookups;
  const publish::Settings& settings;
  Served out;
  std::size_t next = 0, running = 0;
  io::Condition ended;
};

io::Task<void> take_turns(Work& work) {
  const std::size_t hosts = work.settings.hosts.size(), all = hosts + work.settings.domains.size();
  while (work.next < all) {
    const std::size_t mine = work.next++;
    if (mine < hosts) {
      auto found = co_await look_up_host(work.lookups, work.settings.hosts[mine]);
      work.out.hosts[mine] = std::move(found);
    } else {
      auto found = co_await look_up_domain(work.lookups, work.settings.domains[mine - hosts]);
      work.out.domains[mine - hosts] = std::move(found);
    }
  }
  if (--work.running == 0) work.ended.notify_all();
}

}  // namespace

io::Task<Served> look_up_served(Lookups& lookups, const publish::Settings& settings) {
  Work work(lookups, settings);
  for (const publish::Host& host : settings.hosts) work.out.hosts.push_back({host.name, {}, false, {}});
  for (const publish::Domain& domain : settings.domains)
    work.out.domains.push_back({domain.name, {}, {}, {}, {}, {}});
  work.running = std::min(kAtOnce, work.out.hosts.size() + work.out.domains.size());
  for (std::size_t i = work.running; i > 0; --i) lookups.loop.spawn(take_turns(work));
  while (work.running > 0) co_await work.ended.wait();
  co_return std::move(work.out);
}

}  // namespace pinnace::app
