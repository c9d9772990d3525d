#include "policyd/prober.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <deque>
#include <list>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/log.hpp"
#include "delivery/chain_seen.hpp"
#include "policyd/address_rest.hpp"
#include "policyd/noted.hpp"

namespace pinnace::policyd {
namespace {

constexpr base::Milliseconds kTick = std::chrono::seconds(1);
// Whoever is asked for is looked up again within the hour.
constexpr base::Seconds kAskedFor = std::chrono::hours(2);
constexpr base::Seconds kLongestPause = std::chrono::hours(12);
constexpr base::Seconds kConnect{10}, kOpening{20};
constexpr base::Seconds kAllAddresses{60};  // after so long no further address of a host is tried
constexpr std::size_t kDecisionsOfHost = 4;
constexpr std::size_t kSeenOfHost = 8;
constexpr std::size_t kShown = 1'000;

// A probe is nobody's mail: it does not wait as long.
delivery::Settings hurried(delivery::Settings s) {
  s.connect_timeout = std::min<base::Milliseconds>(s.connect_timeout, kConnect);
  s.greeting_timeout = std::min<base::Milliseconds>(s.greeting_timeout, kOpening);
  s.opening_timeout = std::min<base::Milliseconds>(s.opening_timeout.value_or(kOpening), kOpening);
  return s;
}

// "mx.example.org:2525": the port that a host is bound with; 0: none.
std::uint16_t port_of(const std::string& binding, const std::string& name) {
  std::uint16_t port = 0;
  if (binding.size() > name.size() && binding.starts_with(name) && binding[name.size()] == ':')
    std::from_chars(binding.data() + name.size() + 1, binding.data() + binding.size(), port);
  return port;
}

// Nobody is to be asked: mail never goes there, or never with TLS, or not over a network.
bool pointless(const policy::Facts& facts, const policy::Decision& decision) {
  return decision.tls_never || facts.local || !policy::judge_forbidden(decision).usable;
}

}  // namespace

// Its tasks own it, and so may outlive the prober.
struct Prober::Impl {
  Impl(const delivery::Tools& t, discovery::PinStore& p, ProberSettings s,
       std::function<void(const std::string&)> l)
      : delivery_settings(hurried(t.settings)),
        tools{t.loop, t.clock, delivery_settings, t.tls, t.roots, nullptr, t.client_certificates},
        pins(p),
        settings(s),
        learned(std::move(l)),
        timer(t.loop) {}

  // When it is due; when it was before its addresses had to rest; who.
  using Turn = std::tuple<base::Time, base::Time, std::string>;

  struct Host {
    std::string name;  // as its certificate names it
    std::uint16_t port = 0;
    std::shared_ptr<const dns::Addresses> addresses;
    std::list<std::string>::iterator place;  // in the order in which they were asked for
    std::string hop;                         // that brought it
    base::Time placed{}, wanted{};
    std::optional<base::Time> probed;  // nothing: never yet
    // One it is wanted under: as many as the domains that use it differ in what they demand.
    struct Wanted {
      std::shared_ptr<const policy::Decision> decision;
      base::Time asked{};
      base::Time again{};                // it is to be looked at under it
      std::optional<base::Time> needed;  // ProbeFor's, the last time
    };
    std::vector<Wanted> under;
    base::Time again{};          // no sooner
    bool usable = false;         // at the last probe: then what it advertises was noted
    std::uint32_t failures = 0;  // to reach it, without a break
    std::optional<Turn> turn;    // in `queue`
    std::size_t queue = 0;
    bool running = false;
    struct Seen {
      std::string key;  // of the decision
      postfix::SeenChain chain;
    };
    std::vector<Seen> seen;  // newest first
    // What the last probe showed, whatever that one's decision made of it.
    tls::PeerChain chain;
    std::string tls_version;
  };
  struct Place;

  base::Time now() const { return tools.clock.now(); }
  Host* place_for(const std::string& binding, const std::string& hop);
  void add(Host& host, const std::string& binding, std::shared_ptr<const policy::Decision> decision,
           bool needed);
  void forget_hop(Host& host);
  bool make_room();
  void forget(const std::string& binding);
  void plan(const std::string& binding, Host& host);
  void unplan(Host& host);
  Host::Wanted* next_under(Host& host) const;
  bool needed(const Host::Wanted& wanted) const;
  base::Time due(const Host& host) const;
  std::set<Turn>* first_due();
  void begin_due(const std::shared_ptr<Impl>& self);
  base::Milliseconds turn();
  base::Seconds rest_after(bool nobody) const;
  bool satisfies(Host& host, const policy::Decision& decision);
  bool seen_under(const Host& host, const policy::Decision& decision) const;
  void judge_anew(Host& host, const policy::Decision& decision);
  void keep_shown(const std::string& binding, Host& host, const delivery::Probed& probed);
  bool ended(const std::string& binding, const policy::Decision& decision, const delivery::Probed& probed,
             const Noted& before);
  base::Time again(const Host& host, const Host::Wanted& wanted, const Noted& noted) const;
  // A host's addresses one after another, until it can be used at one of them.
  static io::Task<void> look(std::shared_ptr<Impl> self, std::string binding);
  static io::Task<void> tick(std::shared_ptr<Impl> self);

  delivery::Settings delivery_settings;
  delivery::Tools tools;
  discovery::PinStore& pins;
  ProberSettings settings;
  std::function<void(const std::string&)> learned;
  io::Timer timer;
  bool ticking = false, stopping = false;
  std::unordered_map<std::string, Host> hosts;
  std::list<std::string> order;                       // the one asked for last first
  std::array<std::set<Turn>, 2> queues;               // those that are needed; the others
  std::unordered_map<std::string, std::size_t> hops;  // how many hosts it brought that were never probed
  AddressRest addresses;
  std::deque<std::string> shown;  // hosts whose chains are kept, the newest last
  base::Time next_turn{};
  std::size_t running = 0;
  ProberStats stats;
};

// Null: there is no room for another.
Prober::Impl::Host* Prober::Impl::place_for(const std::string& binding, const std::string& hop) {
  const auto found = hosts.find(binding);
  if (found != hosts.end()) {
    order.splice(order.begin(), order, found->second.place);
    return &found->second;
  }
  // A flood of names that nobody sends to displaces nobody who is known.
  const auto brought = hops.find(hop);
  if (stats.waiting >= settings.most_waiting ||
      (brought != hops.end() && brought->second >= settings.most_of_hop) ||
      (hosts.size() >= settings.most_hosts && !make_room())) {
    ++stats.dropped;
    return nullptr;
  }
  Host& host = hosts[binding];
  host.place = order.insert(order.begin(), binding);
  host.hop = hop;
  host.placed = now();
  ++hops[hop];
  return &host;
}

// It was probed, or is forgotten: the next hop may bring another.
void Prober::Impl::forget_hop(Host& host) {
  const auto at = host.probed ? hops.end() : hops.find(host.hop);
  if (at != hops.end() && --at->second == 0) hops.erase(at);
  host.hop.clear();
}

bool Prober::Impl::make_room() {
  const auto last = std::find_if(order.rbegin(), order.rend(),
                                 [&](const std::string& name) { return !hosts.at(name).running; });
  if (last == order.rend()) return false;
  forget(std::string(*last));
  return true;
}

void Prober::Impl::forget(const std::string& binding) {
  Host& host = hosts.at(binding);
  unplan(host);
  forget_hop(host);
  order.erase(host.place);
  hosts.erase(binding);
}

void Prober::Impl::unplan(Host& host) {
  if (!host.turn) return;
  queues[host.queue].erase(*host.turn);
  host.turn.reset();
  if (!host.probed) --stats.waiting;
}

void Prober::Impl::plan(const std::string& binding, Host& host) {
  unplan(host);
  std::erase_if(host.under, [&](const Host::Wanted& w) { return w.asked + kAskedFor < now(); });
  if (host.under.empty()) return;
  host.queue =
      std::any_of(host.under.begin(), host.under.end(), [&](const auto& w) { return needed(w); }) ? 0 : 1;
  const base::Time at = due(host);
  host.turn = Turn(std::max(at, addresses.first(*host.addresses)), at, binding);
  queues[host.queue].insert(*host.turn);
  if (!host.probed) ++stats.waiting;
}

bool Prober::Impl::needed(const Host::Wanted& wanted) const {
  return wanted.needed && *wanted.needed + kAskedFor >= now();
}

// The one that waits longest; null: there is none.
Prober::Impl::Host::Wanted* Prober::Impl::next_under(Host& host) const {
  const auto first = std::min_element(host.under.begin(), host.under.end(),
                                      [](const auto& a, const auto& b) { return a.again < b.again; });
  return first == host.under.end() ? nullptr : &*first;
}

base::Time Prober::Impl::due(const Host& host) const {
  if (!host.probed) return host.placed;
  base::Time out = base::Time::max();
  for (const Host::Wanted& w : host.under) out = std::min(out, w.again);
  return std::max(out, host.again);
}

std::set<Prober::Impl::Turn>* Prober::Impl::first_due() {
  for (std::set<Turn>& queue : queues) {
    if (!queue.empty() && std::get<0>(*queue.begin()) <= now()) return &queue;
  }
  return nullptr;
}

void Prober::Impl::begin_due(const std::shared_ptr<Impl>& self) {
  while (running < settings.parallel) {
    const std::set<Turn>* queue = first_due();
    if (!queue) break;
    const std::string binding = std::get<2>(*queue->begin());
    Host& host = hosts.at(binding);
    // Nobody has asked for it since the last time: it is looked at when somebody does.
    if (host.wanted + kAskedFor < now() || (host.probed && host.wanted <= *host.probed)) {
      unplan(host);
      if (!host.probed) forget(binding);
      continue;
    }
    if (addresses.first(*host.addresses) > now()) {
      plan(binding, host);
      continue;
    }
    unplan(host);
    host.running = true;
    ++running;
    tools.loop.spawn(look(self, binding));
  }
  if (!ticking && std::any_of(queues.begin(), queues.end(), [](const auto& q) { return !q.empty(); })) {
    ticking = true;
    tools.loop.spawn(tick(self));
  }
}

// How long the next connection waits for its turn. A clock that was set back costs no more than a few.
base::Milliseconds Prober::Impl::turn() {
  const double apart = std::ceil(1000 / std::max(settings.per_second, 0.001));
  const base::Milliseconds interval(static_cast<std::int64_t>(apart));
  const base::Time at = now();
  next_turn = std::clamp(next_turn, at, at + interval * static_cast<std::int64_t>(settings.parallel));
  const base::Milliseconds wait = next_turn - at;
  next_turn += interval;
  return wait;
}

bool Prober::Impl::seen_under(const Host& host, const policy::Decision& decision) const {
  return std::any_of(host.seen.begin(), host.seen.end(),
                     [&](const Host::Seen& s) { return s.key == decision.key && s.chain.not_after > now(); });
}

// A third party's address is not to be knocked at by all the names that anybody gives it.
base::Seconds Prober::Impl::rest_after(bool nobody) const {
  return nobody ? settings.host_pause : std::min(settings.address_pause, settings.host_pause);
}

// What the last probe showed is judged for another decision too, without another probe.
void Prober::Impl::judge_anew(Host& host, const policy::Decision& decision) {
  const auto under = [&](const Host::Seen& seen) { return seen.key == decision.key; };
  // What was seen and is over is not good again for what was shown then.
  if (host.chain.empty() || host.failures > 0 || std::any_of(host.seen.begin(), host.seen.end(), under))
    return;
  const bool fresh = satisfies(host, decision);
  (void)fresh;  // who asks is told
}

// Keeps what the last chain is worth under the decision; false: it is worth nothing, or nothing new.
bool Prober::Impl::satisfies(Host& host, const policy::Decision& decision) {
  auto found = delivery::satisfying(decision, host.chain, host.tls_version, tools.roots, now());
  if (!found) return false;
  postfix::SeenChain chain{
      std::move(found->key_sha256), std::move(found->certificate_sha256), found->until, {}};
  if (found->anchor) chain.anchors.push_back(std::move(*found->anchor));
  const auto same = [&](const Host::Seen& s) {
    return s.key == decision.key && s.chain.certificate_sha256 == chain.certificate_sha256 &&
           s.chain.anchors == chain.anchors;
  };
  const bool fresh = std::erase_if(host.seen, same) == 0;
  host.seen.insert(host.seen.begin(), {decision.key, std::move(chain)});
  if (host.seen.size() > kSeenOfHost) host.seen.pop_back();
  return fresh;
}

void Prober::Impl::keep_shown(const std::string& binding, Host& host, const delivery::Probed& probed) {
  if (host.chain.empty()) shown.push_back(binding);
  host.chain = probed.chain;
  host.tls_version = probed.version;
  if (shown.size() <= kShown) return;
  if (const auto oldest = hosts.find(shown.front()); oldest != hosts.end()) oldest->second.chain = {};
  shown.pop_front();
}

// Before half of what was left of the first to end, when it was looked at, has passed.
base::Time Prober::Impl::again(const Host& host, const Host::Wanted& wanted, const Noted& noted) const {
  const base::Time looked = *host.probed;
  base::Time end = noted.end;
  for (const Host::Seen& s : host.seen) {
    if (s.key == wanted.decision->key && s.chain.not_after > looked) end = std::min(end, s.chain.not_after);
  }
  const base::Milliseconds pause = settings.host_pause;
  base::Milliseconds refresh = needed(wanted) ? settings.refresh_needed : settings.refresh;
  if (end != base::Time::max()) refresh = std::min(refresh, (end - looked) / 2);
  return looked + std::max(pause, refresh);
}

// True: something about the host is known now that was not.
bool Prober::Impl::ended(const std::string& binding, const policy::Decision& decision,
                         const delivery::Probed& probed, const Noted& before) {
  const auto found = hosts.find(binding);
  if (found == hosts.end()) return false;
  Host& host = found->second;
  forget_hop(host);
  host.probed = now();
  host.usable = probed.usable;
  const bool reached = probed.unreachable.empty() || probed.refused;
  host.failures = reached ? 0 : host.failures + 1;
  const std::uint32_t doublings = std::min(host.failures > 0 ? host.failures - 1 : 0U, 16U);
  host.again = now() + std::min<base::Seconds>(settings.host_pause * (1LL << doublings),
                                               std::max(kLongestPause, settings.host_pause));
  if (!probed.usable) {
    ++stats.failed;
    base::log_debug("probe_failed",
                    {{"host", binding},
                     {"reason", !probed.unreachable.empty() ? probed.unreachable : probed.verdict.sentence}});
  }
  // Whoever asked last is not whom all are judged by: what was shown may satisfy the others.
  bool news = false;
  if (!probed.chain.empty()) {
    keep_shown(binding, host, probed);
    for (const Host::Wanted& w : host.under) news = satisfies(host, *w.decision) || news;
  }
  const Noted after = noted_of(pins, binding, now());
  if (after.any() && !before.any()) ++stats.noted;
  for (Host::Wanted& w : host.under) {
    const bool this_one = w.decision->key == decision.key;
    if (this_one && !probed.usable) w.again = host.again;
    if (probed.usable && (this_one || seen_under(host, *w.decision))) w.again = again(host, w, after);
  }
  return news || !(after == before);
}

io::Task<void> Prober::Impl::tick(std::shared_ptr<Impl> self) {
  while (!self->stopping && std::any_of(self->queues.begin(), self->queues.end(),
                                        [](const auto& queue) { return !queue.empty(); })) {
    const bool elapsed = co_await self->timer.wait(kTick);
    if (!elapsed || self->stopping) break;
    self->begin_due(self);
  }
  self->ticking = false;
}

// One of those that run at once; given back however the probe ends.
struct Prober::Impl::Place {
  std::shared_ptr<Impl> self;
  std::string binding;

  Place(std::shared_ptr<Impl> i, std::string b) : self(std::move(i)), binding(std::move(b)) {}
  Place(const Place&) = delete;
  ~Place() { leave(); }
  void leave() {
    if (!self) return;
    --self->running;
    if (const auto host = self->hosts.find(binding); host != self->hosts.end()) host->second.running = false;
    self.reset();
  }
};

io::Task<void> Prober::Impl::look(std::shared_ptr<Impl> self, std::string binding) {
  Place place(self, binding);
  Host& host = self->hosts.at(binding);
  const std::string name = host.name;
  const std::uint16_t port = host.port;
  const auto addresses = host.addresses;
  const auto decision = self->next_under(host)->decision;
  const auto until = io::Steady::now() + kAllAddresses;
  const Noted before = noted_of(self->pins, binding, self->now());
  delivery::Probed last;
  bool tried = false;
  // Two of its own may be one party's.
  std::vector<io::IpAddress> free = addresses->addresses;
  std::erase_if(free, [&](const auto& a) { return self->addresses.rests(a, self->now()); });
  for (const io::IpAddress& address : free) {
    if (io::Steady::now() >= until) break;
    self->addresses.until(address, self->now() + self->settings.address_pause, self->now());
    const base::Milliseconds wait = self->turn();
    if (wait > base::Milliseconds(0)) {
      io::Timer turn(self->tools.loop);
      const bool elapsed = co_await turn.wait(wait);
      if (!elapsed) break;
    }
    if (self->stopping) co_return;
    tried = true;
    ++self->stats.probes;
    delivery::ProbeOrder order{*decision, {}, name, address, port, &self->pins, binding};
    delivery::Probed probed = co_await delivery::probe(self->tools, std::move(order));
    const bool nobody = !probed.unreachable.empty() && !probed.refused;
    self->addresses.until(address, self->now() + self->rest_after(nobody), self->now());
    last = std::move(probed);
    if (last.usable) break;
  }
  place.leave();
  if (self->stopping) co_return;
  // Else another host has just been looked at there: it waits again.
  const bool news = tried && self->ended(binding, *decision, last, before);
  if (news && self->learned) self->learned(binding);
  const auto still = self->hosts.find(binding);
  if (still != self->hosts.end() && !still->second.running) self->plan(binding, still->second);
  self->begin_due(self);
}

Prober::Prober(const delivery::Tools& tools, discovery::PinStore& pins, ProberSettings settings,
               std::function<void(const std::string& host)> learned)
    : impl_(std::make_shared<Impl>(tools, pins, settings, std::move(learned))) {}

Prober::~Prober() {
  impl_->stopping = true;
  impl_->learned = {};
  impl_->timer.cancel();
}

// One more decision that it is wanted under. Where there is no room for it, one that has had its turn goes,
// the last that is to have it again; where all wait, it is dropped until asked again.
void Prober::Impl::add(Host& host, const std::string& binding,
                       std::shared_ptr<const policy::Decision> decision, bool is_needed) {
  auto at = std::find_if(host.under.begin(), host.under.end(),
                         [&](const auto& w) { return w.decision->key == decision->key; });
  const bool fresh = at == host.under.end();
  if (fresh && host.under.size() >= kDecisionsOfHost) {
    const auto last = std::max_element(host.under.begin(), host.under.end(),
                                       [](const auto& a, const auto& b) { return a.again < b.again; });
    if (last->again <= now()) return;
    host.under.erase(last);
  }
  if (fresh) {
    host.under.push_back({nullptr, {}, now(), {}});
    at = std::prev(host.under.end());
  }
  at->decision = std::move(decision);
  at->asked = host.wanted = now();
  const bool was_needed = needed(*at);
  if (is_needed) at->needed = now();
  if (!host.probed) return;
  judge_anew(host, *at->decision);
  const bool changed = fresh || was_needed != needed(*at);
  if (changed && host.usable && seen_under(host, *at->decision))
    at->again = again(host, *at, noted_of(pins, binding, now()));
}

void Prober::want(const discovery::HostFacts& facts, std::shared_ptr<const policy::Decision> decision,
                  const ProbeFor& whom) {
  if (!decision || !facts.addresses || facts.addresses->addresses.empty()) return;
  if (pointless(facts.facts, *decision)) return;
  const std::string& binding = facts.facts.host;
  Impl::Host* const host = impl_->place_for(binding, whom.next_hop);
  if (!host) return;
  host->name = facts.facts.host_name;
  host->port = port_of(binding, host->name);
  host->addresses = facts.addresses;
  impl_->add(*host, binding, std::move(decision), whom.needed);
  if (host->running) return;
  impl_->plan(binding, *host);
  impl_->begin_due(impl_);
}

std::vector<postfix::SeenChain> Prober::seen(const std::string& host,
                                             const policy::Decision& decision) const {
  std::vector<postfix::SeenChain> out;
  const auto found = impl_->hosts.find(host);
  if (found == impl_->hosts.end()) return out;
  Impl::Host& h = found->second;
  const auto under = [&](const Impl::Host::Seen& s) { return s.key == decision.key; };
  impl_->judge_anew(h, decision);
  for (const Impl::Host::Seen& s : h.seen) {
    if (under(s) && s.chain.not_after > impl_->now()) out.push_back(s.chain);
  }
  return out;
}

ProberStats Prober::stats() const {
  ProberStats out = impl_->stats;
  out.running = impl_->running;
  out.hosts = impl_->hosts.size();
  return out;
}

}  // namespace pinnace::policyd
