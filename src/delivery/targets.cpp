#include "delivery/targets.hpp"

namespace pinnace::delivery {

namespace {

// Does it bind and read alike?
bool same(const discovery::StsFound& a, const discovery::StsFound& b) {
  return a.kind == b.kind && a.cached == b.cached && a.unsure == b.unsure && a.detail == b.detail;
}

}  // namespace

// RFC 8689: what the sender demands always counts; what it waives, only where the operator lets it.
policy::Wish Targets::wish_of(const queue::Message& message) const {
  if (message.tls_wish == queue::TlsWish::require) return policy::Wish::require;
  const bool waives = message.tls_wish == queue::TlsWish::waive && settings_.honour_tls_required_no;
  return waives ? policy::Wish::waive : policy::Wish::none;
}

void Targets::forget_the_old() {
  const auto second = std::chrono::floor<base::Seconds>(clock_.now()).time_since_epoch().count();
  const auto version = gatherer_.version();
  if (second == second_ && version == version_) return;
  domains_.clear();
  made_.clear();
  second_ = second;
  version_ = version;
}

io::Task<base::Result<discovery::DomainFacts>> Targets::domain(std::string domain) {
  forget_the_old();
  if (const auto known = domains_.find(domain); known != domains_.end()) co_return known->second;
  auto found = co_await gatherer_.domain(domain);
  forget_the_old();
  if (found && found->hosts->kind == dns::MailHosts::Kind::hosts) domains_.emplace(std::move(domain), *found);
  co_return found;
}

io::Task<Attempt<std::shared_ptr<const Target>>> Targets::find(
    discovery::DomainFacts domain, std::string host, std::shared_ptr<const queue::Message> message) {
  const policy::Wish wish = wish_of(*message);
  const bool bounce = message->reverse_path.empty();
  forget_the_old();
  std::string key = domain.domain + ' ' + host + ' ' + static_cast<char>('0' + static_cast<int>(wish));
  key += bounce ? 'b' : 'm';
  const auto known = made_.find(key);
  if (known != made_.end() && known->second.hosts == domain.hosts && same(*known->second.sts, *domain.sts))
    co_return known->second.target;
  const auto version = gatherer_.version();
  auto made = co_await decide(domain, std::move(host), wish, bounce);
  forget_the_old();
  if (made && version == version_) made_[key] = {domain.hosts, domain.sts, *made};
  co_return made;
}

io::Task<Attempt<std::shared_ptr<const Target>>> Targets::decide(discovery::DomainFacts domain,
                                                                 std::string host, policy::Wish wish,
                                                                 bool bounce) {
  const discovery::NextHop* hop = domain.route ? domain.route->find(host) : nullptr;
  auto found = co_await gatherer_.host(domain, host);
  if (!found) {
    const bool none = found.error().code == "discovery.no_address";
    // RFC 5321 5.1: a host without address is passed over; only if the domain itself has none is it final.
    if (none && domain.hosts->implicit) co_return std::unexpected(permanent("5.1.2", found.error().detail));
    const bool dns = found.error().code.starts_with("discovery.");
    co_return std::unexpected(temporary(dns ? "4.4.3" : "4.3.0", found.error().detail));
  }
  found->facts.wish = wish;
  found->facts.bounce = bounce;
  policy::Decision decision = policy::decide(found->facts);
  if (const policy::Verdict verdict = policy::judge_forbidden(decision); !verdict.usable) {
    Problem p = refused(verdict);
    p.decision = decision.sentence();
    co_return std::unexpected(p);
  }
  Target out;
  out.host = found->facts.host_name;
  out.binding = found->facts.host;
  if (hop && hop->local()) out.addresses.push_back({{}, 0, hop->unix_path});
  const std::uint16_t port = hop ? hop->port : settings_.port;
  for (const io::IpAddress& address : found->addresses->addresses)
    out.addresses.push_back({address, port, {}});
  const bool lmtp = hop && domain.route->protocol == discovery::FixedRoute::Protocol::lmtp;
  if (lmtp) out.protocol = smtp::Client::Protocol::lmtp;
  out.decision = std::make_shared<const policy::Decision>(std::move(decision));
  co_return std::make_shared<const Target>(std::move(out));
}

}  // namespace pinnace::delivery
