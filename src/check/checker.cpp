#include "check/checker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::check {
namespace {

// So many at the same time, and no more.
class Places {
 public:
  Places(io::Loop& loop, std::size_t free) : free_(free), left_(loop) {}
  io::Task<void> take() {
    while (free_ == 0) co_await left_.wait();
    --free_;
  }
  void leave() {
    ++free_;
    left_.notify_all();
  }

 private:
  std::size_t free_;
  io::Condition left_;
};

// Waits for tasks that were spawned.
class Group {
 public:
  explicit Group(io::Loop& loop) : ended_(loop) {}
  void begin() { ++running_; }
  void end() {
    if (--running_ == 0) ended_.notify_all();
  }
  io::Task<void> wait() {
    while (running_ > 0) co_await ended_.wait();
  }

 private:
  std::size_t running_ = 0;
  io::Condition ended_;
};

// The TXT records of a name. `version`: how one begins that means to be of the kind.
template <class Parsed>
TxtFacts<Parsed> txt_from(const dns::Answer& answer, std::string_view version,
                          Parsed (*parse)(std::span<const std::string>)) {
  TxtFacts<Parsed> out;
  if (answer.kind == dns::Answer::Kind::failure) {
    out.failure = answer.detail;
    return out;
  }
  if (answer.kind != dns::Answer::Kind::records) return out;
  std::vector<std::string> records;
  for (const std::string& rdata : answer.rdata) {
    if (auto text = dns::parse_txt(rdata)) records.push_back(std::move(*text));
  }
  // Where a wildcard answers, there are records of anything.
  const auto means_it = [version](const std::string& record) {
    return std::equal(version.begin(), version.end(), record.begin(),
                      record.begin() + static_cast<std::ptrdiff_t>(std::min(version.size(), record.size())),
                      [](char a, char b) { return (a | 32) == (b | 32); });
  };
  out.declared = std::any_of(records.begin(), records.end(), means_it);
  if (out.declared) out.parsed = parse(records);
  return out;
}

class Checker {
 public:
  Checker(Means means, Bounds bounds, std::vector<std::string> domains, std::function<void(std::size_t)> done)
      : means_(means),
        bounds_(bounds),
        domains_(std::move(domains)),
        done_(std::move(done)),
        connections_(means.tools.loop, bounds.connections),
        out_(domains_.size()) {}

  io::Task<std::vector<DomainFacts>> run() {
    Group workers(means_.tools.loop);
    for (std::size_t i = 0; i < std::min(bounds_.domains, domains_.size()); ++i) {
      workers.begin();
      means_.tools.loop.spawn(work(workers));
    }
    co_await workers.wait();
    co_return std::move(out_);
  }

 private:
  io::Task<void> work(Group& group) {
    while (next_ < domains_.size()) {
      const std::size_t mine = next_++;
      co_await check(domains_[mine], out_[mine]);
      done_(++ended_);
    }
    group.end();
  }

  io::Task<void> check(std::string domain, DomainFacts& out);
  io::Task<void> check_host(discovery::DomainFacts domain, HostFacts& out, Group& group);
  io::Task<void> probe(delivery::ProbeOrder order, delivery::Probed& out, Group& group);

  Means means_;
  Bounds bounds_;
  std::vector<std::string> domains_;
  std::function<void(std::size_t)> done_;
  Places connections_;
  std::vector<DomainFacts> out_;
  std::size_t next_ = 0, ended_ = 0;
};

io::Task<void> Checker::check(std::string domain, DomainFacts& out) {
  out.domain = domain;
  out.port = means_.tools.settings.port;
  out.now = means_.tools.clock.now();
  const auto found = co_await means_.gatherer.domain(domain);
  if (!found) {
    out.mx.detail = found.error().detail;
    co_return;
  }
  out.mx = *found->hosts;
  if (out.mx.kind != dns::MailHosts::Kind::hosts) co_return;
  std::string owner = "_mta-sts." + domain;
  const dns::Answer sts = co_await means_.resolver.query(std::move(owner), dns::Type::txt);
  owner = "_smtp._tls." + domain;
  const dns::Answer tlsrpt = co_await means_.resolver.query(std::move(owner), dns::Type::txt);
  out.sts.txt = txt_from(sts, "v=STSv1", sts::parse_txt);
  out.tlsrpt = txt_from(tlsrpt, "v=TLSRPTv1", tlsrpt::parse_txt);
  if (found->sts->cached) out.sts.policy = *found->sts->cached;
  out.sts.unknown = found->sts->kind == discovery::StsFound::Kind::failure;
  out.sts.detail = found->sts->detail;
  out.sts.problem = found->sts->problem;
  Group hosts(means_.tools.loop);
  out.hosts.resize(out.mx.hosts.size());
  for (std::size_t i = 0; i < out.hosts.size(); ++i) {
    out.hosts[i].host = out.mx.hosts[i];
    hosts.begin();
    means_.tools.loop.spawn(check_host(*found, out.hosts[i], hosts));
  }
  co_await hosts.wait();
}

io::Task<void> Checker::check_host(discovery::DomainFacts domain, HostFacts& out, Group& group) {
  auto found = co_await means_.gatherer.host(domain, out.host);
  if (!found) {
    out.no_address = found.error().detail;
    out.lookup_failed = found.error().code != "discovery.no_address";
    group.end();
    co_return;
  }
  out.addresses = *found->addresses;
  out.tlsa = found->facts.tlsa;
  out.decision = policy::decide(found->facts);
  Group probes(means_.tools.loop);
  out.probed.resize(std::min(out.addresses.addresses.size(), bounds_.addresses_of_host));
  for (std::size_t i = 0; i < out.probed.size(); ++i) {
    probes.begin();
    delivery::ProbeOrder order{out.decision, out.tlsa, out.host, out.addresses.addresses[i]};
    means_.tools.loop.spawn(probe(std::move(order), out.probed[i], probes));
  }
  co_await probes.wait();
  group.end();
}

io::Task<void> Checker::probe(delivery::ProbeOrder order, delivery::Probed& out, Group& group) {
  co_await connections_.take();
  out = co_await delivery::probe(means_.tools, std::move(order));
  connections_.leave();
  group.end();
}

}  // namespace

io::Task<std::vector<DomainFacts>> check_all(Means means, Bounds bounds, std::vector<std::string> domains,
                                             std::function<void(std::size_t)> done) {
  Checker checker(means, bounds, std::move(domains), std::move(done));
  auto out = co_await checker.run();
  co_return out;
}

}  // namespace pinnace::check
