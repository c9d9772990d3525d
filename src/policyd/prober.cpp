#include "policyd/prober.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <list>
#include <set>
#include <unordered_map>

#include "base/log.hpp"
#include "delivery/chain_seen.hpp"

namespace pinnace::policyd {
namespace {

constexpr base::Milliseconds kTick = std::chrono::seconds(1);
// Whoever is asked for is looked up again within the hour.
constexpr base::Seconds kAskedFor = std::chrono::hours(2);
constexpr base::Seconds kLongestPause = std::chrono::hours(12);
constexpr base::Seconds kConnect{10}, kOpening{20};
constexpr base::Seconds kAllAddresses{60};  // after so long no further address of a host is tried
constexpr std::size_t kSeenOfHost = 4;
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

// What is noted of a host, as far as it makes decisions.
struct Noted {
  std::optional<pins::PinSet> pins;
  bool stsec = false;
  base::Time end = base::Time::max();  // of the first to end

  bool any() const { return pins || stsec; }
  bool operator==(const Noted& other) const {
    if (stsec != other.stsec || pins.has_value() != other.pins.has_value()) return false;
    if (!pins) return true;
    const auto same = [](const pins::NotedPin& a, const pins::NotedPin& b) { return a.pin == b.pin; };
    return pins->mode == other.pins->mode && pins->stage == other.pins->stage &&
           std::equal(pins->pins.begin(), pins->pins.end(), other.pins->pins.begin(), other.pins->pins.end(),
                      same);
  }
};

// What cannot be read is told where it is read for a decision.
Noted noted_of(const discovery::PinStore& store, const std::string& host, base::Time now) {
  Noted out;
  const auto pins = store.find(pins::Scope::host, host);
  if (pins && *pins && !(*pins)->expired(now)) {
    out.pins = **pins;
    out.end = (*pins)->expires();
  }
  const auto stsec = store.find_stsec(host);
  if (stsec && *stsec && (*stsec)->in_force(now)) {
    out.stsec = true;
    out.end = std::min(out.end, (*stsec)->expires);
  }
  return out;
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

  struct Host {
    std::string name;  // as its certificate names it
    std::uint16_t port = 0;
    std::shared_ptr<const dns::Addresses> addresses;
    std::shared_ptr<const policy::Decision> decision;  // the last it was wanted under
    std::list<std::string>::iterator place;            // in the order in which they were asked for
    base::Time wanted{};
    std::optional<base::Time> probed;  // nothing: never yet
    std::string probed_key;            // of the decision of that probe
    base::Time again{};                // the next under the same decision
    std::uint32_t failures = 0;        // to reach it, without a break
    std::optional<base::Time> due;     // stands in `schedule`
    bool running = false;
    struct Seen {
      std::string key;  // of the decision
      postfix::SeenChain chain;
    };
    std::vector<Seen> seen;  // newest first
    // What the last probe showed, for decisions that are made of what it noted.
    tls::PeerChain chain;
    std::string tls_version;
  };
  struct Place;

  base::Time now() const { return tools.clock.now(); }
  Host* place_for(const std::string& binding);
  bool make_room();
  void plan(const std::string& binding, Host& host);
  void unplan(const std::string& binding, Host& host);
  base::Time due(const Host& host) const;
  void begin_due(const std::shared_ptr<Impl>& self);
  base::Milliseconds turn();
  bool satisfies(Host& host, const policy::Decision& decision);
  void judge_anew(Host& host, const policy::Decision& decision);
  void keep_shown(const std::string& binding, Host& host, const delivery::Probed& probed);
  bool ended(const std::string& binding, const policy::Decision& decision, const delivery::Probed& probed,
             const Noted& before);
  base::Time again(const Host& host, const Noted& noted) const;
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
  std::list<std::string> order;                           // the one asked for last first
  std::set<std::pair<base::Time, std::string>> schedule;  // due, and who
  std::deque<std::string> shown;                          // hosts whose chains are kept, the newest last
  base::Time next_turn{};
  std::size_t running = 0;
  ProberStats stats;
};

// Null: there is no room for another.
Prober::Impl::Host* Prober::Impl::place_for(const std::string& binding) {
  const auto found = hosts.find(binding);
  if (found != hosts.end()) {
    order.splice(order.begin(), order, found->second.place);
    return &found->second;
  }
  // A flood of names that nobody sends to displaces nobody who is known.
  if (stats.waiting >= settings.most_waiting || (hosts.size() >= settings.most_hosts && !make_room())) {
    ++stats.dropped;
    return nullptr;
  }
  Host& host = hosts[binding];
  host.place = order.insert(order.begin(), binding);
  return &host;
}

bool Prober::Impl::make_room() {
  const auto last = std::find_if(order.rbegin(), order.rend(),
                                 [&](const std::string& name) { return !hosts.at(name).running; });
  if (last == order.rend()) return false;
  const std::string binding = *last;
  Host& host = hosts.at(binding);
  unplan(binding, host);
  order.erase(host.place);
  hosts.erase(binding);
  return true;
}

void Prober::Impl::unplan(const std::string& binding, Host& host) {
  if (!host.due) return;
  schedule.erase({*host.due, binding});
  host.due.reset();
  if (!host.probed) --stats.waiting;
}

void Prober::Impl::plan(const std::string& binding, Host& host) {
  unplan(binding, host);
  host.due = due(host);
  schedule.emplace(*host.due, binding);
  if (!host.probed) ++stats.waiting;
}

base::Time Prober::Impl::due(const Host& host) const {
  if (!host.probed) return now();
  // Under another decision what was seen may be worth something else.
  if (host.failures == 0 && host.decision->key != host.probed_key)
    return *host.probed + base::Milliseconds(settings.host_pause);
  return host.again;
}

void Prober::Impl::begin_due(const std::shared_ptr<Impl>& self) {
  while (running < settings.parallel && !schedule.empty() && schedule.begin()->first <= now()) {
    const std::string binding = schedule.begin()->second;
    Host& host = hosts.at(binding);
    unplan(binding, host);
    // Nobody asks for it any more: it is looked at when somebody does.
    if (host.wanted + kAskedFor < now()) continue;
    host.running = true;
    ++running;
    tools.loop.spawn(look(self, binding));
  }
  if (!schedule.empty() && !ticking) {
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

// A decision that was made of what the last probe noted: what it showed is judged anew, without another.
void Prober::Impl::judge_anew(Host& host, const policy::Decision& decision) {
  if (host.running || host.chain.empty() || host.failures > 0 || host.probed_key == decision.key) return;
  const auto under = [&](const Host::Seen& s) { return s.key == decision.key; };
  if (std::any_of(host.seen.begin(), host.seen.end(), under) || satisfies(host, decision))
    host.probed_key = decision.key;
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
  host.chain = probed.chain;
  host.tls_version = probed.version;
  shown.push_back(binding);
  if (shown.size() <= kShown) return;
  if (const auto oldest = hosts.find(shown.front()); oldest != hosts.end()) oldest->second.chain = {};
  shown.pop_front();
}

// Before half of what is left of the first to end has passed.
base::Time Prober::Impl::again(const Host& host, const Noted& noted) const {
  base::Time end = noted.end;
  for (const Host::Seen& s : host.seen) {
    if (s.key == host.probed_key && s.chain.not_after > now()) end = std::min(end, s.chain.not_after);
  }
  const base::Milliseconds refresh = settings.refresh, pause = settings.host_pause;
  if (end == base::Time::max()) return now() + refresh;
  return now() + std::max(pause, std::min(refresh, (end - now()) / 2));
}

// True: something about the host is known now that was not.
bool Prober::Impl::ended(const std::string& binding, const policy::Decision& decision,
                         const delivery::Probed& probed, const Noted& before) {
  const auto found = hosts.find(binding);
  if (found == hosts.end()) return false;
  Host& host = found->second;
  host.probed = now();
  host.probed_key = decision.key;
  const bool reached = probed.unreachable.empty() || probed.refused;
  host.failures = reached ? 0 : host.failures + 1;
  if (!probed.usable) {
    ++stats.failed;
    const std::uint32_t doublings = std::min(host.failures > 0 ? host.failures - 1 : 0U, 16U);
    host.again = now() + std::min<base::Seconds>(settings.host_pause * (1LL << doublings),
                                                 std::max(kLongestPause, settings.host_pause));
    base::log_debug("probe_failed",
                    {{"host", binding},
                     {"reason", !probed.unreachable.empty() ? probed.unreachable : probed.verdict.sentence}});
    return false;
  }
  bool news = false;
  if (!probed.chain.empty()) {
    keep_shown(binding, host, probed);
    news = satisfies(host, decision);
  }
  const Noted after = noted_of(pins, binding, now());
  if (after.any() && !before.any()) ++stats.noted;
  host.again = again(host, after);
  return news || !(after == before);
}

io::Task<void> Prober::Impl::tick(std::shared_ptr<Impl> self) {
  while (!self->stopping && !self->schedule.empty()) {
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
  const Host& host = self->hosts.at(binding);
  const std::string name = host.name;
  const std::uint16_t port = host.port;
  const auto addresses = host.addresses;
  const auto decision = host.decision;
  const auto until = io::Steady::now() + kAllAddresses;
  const Noted before = noted_of(self->pins, binding, self->now());
  delivery::Probed last;
  last.unreachable = "it has no address";
  for (const io::IpAddress& address : addresses->addresses) {
    if (io::Steady::now() >= until) break;
    const base::Milliseconds wait = self->turn();
    if (wait > base::Milliseconds(0)) {
      io::Timer turn(self->tools.loop);
      const bool elapsed = co_await turn.wait(wait);
      if (!elapsed) break;
    }
    if (self->stopping) co_return;
    ++self->stats.probes;
    delivery::ProbeOrder order{*decision, {}, name, address, port, &self->pins, binding};
    delivery::Probed probed = co_await delivery::probe(self->tools, std::move(order));
    last = std::move(probed);
    if (last.usable) break;
  }
  place.leave();
  if (self->stopping) co_return;
  const bool news = self->ended(binding, *decision, last, before);
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

void Prober::want(const discovery::HostFacts& facts, std::shared_ptr<const policy::Decision> decision) {
  if (!decision || !facts.addresses || facts.addresses->addresses.empty()) return;
  if (pointless(facts.facts, *decision)) return;
  const std::string& binding = facts.facts.host;
  Impl::Host* const host = impl_->place_for(binding);
  if (!host) return;
  host->name = facts.facts.host_name;
  host->port = port_of(binding, host->name);
  host->addresses = facts.addresses;
  host->decision = std::move(decision);
  host->wanted = impl_->now();
  if (host->running) return;
  impl_->judge_anew(*host, *host->decision);
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
