#include "policyd/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "policyd/lookup.hpp"
#include "postfix/telling.hpp"
#include "socketmap/request.hpp"

namespace pinnace::policyd {
namespace {

constexpr base::Seconds kSecond{1};
constexpr base::Milliseconds kPace{20};     // between two groups of refreshes
constexpr std::size_t kGroups = 4;          // so many of them are as many lookups as may run at once
constexpr std::size_t kMostDue = 100'000;   // known to be due; what is beyond is found by and by
constexpr std::size_t kServed = 500;        // next hops of a changed host, at once
constexpr std::size_t kMostReply = 90'000;  // octets; socketmap_table(5) has a limit of 100,000
constexpr base::Milliseconds kTempLeast = std::chrono::seconds(5);
constexpr base::Seconds kCleanEach = std::chrono::minutes(1);

std::string shown(const Told& told) {
  std::string out;
  for (const Told::Reply& reply : told.replies)
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", reply.map, reply.text);
  return out;
}

bool temporary(const Told::Reply& reply) { return reply.text.starts_with("TEMP "); }

bool refused(const Told& told) { return std::any_of(told.replies.begin(), told.replies.end(), temporary); }

bool same(const Told& a, const Told& b) {
  return a.replies.size() == b.replies.size() &&
         std::equal(a.replies.begin(), a.replies.end(), b.replies.begin(),
                    [](const auto& x, const auto& y) { return x.map == y.map && x.text == y.text; });
}

}  // namespace

// One lookup, for all who wait for it.
struct Engine::Flight {
  explicit Flight(socketmap::Destination to) : key(std::move(to)) {}
  socketmap::Destination key;
  std::string text;  // the key's
  std::vector<std::function<void(const std::shared_ptr<const Told>&)>> waiting;
  std::shared_ptr<Lookup> lookup;
  base::Time asked{};        // for the key, the last time
  bool again = false;        // what it went by has changed meanwhile
  bool lacks = false;        // the DNS did not say all
  bool unseen = false;       // what is TEMP would be an answer once its hosts were seen
  bool needs_probe = false;  // what is told rests on what its hosts show, or would
};

// However it ends, the next one can begin.
struct Engine::Landing {
  Engine& engine;
  FlightPtr flight;
  bool waited;
  Landing(Engine& e, FlightPtr f, bool w) : engine(e), flight(std::move(f)), waited(w) {
    if (!waited) ++engine.refreshing_;
  }
  Landing(const Landing&) = delete;
  ~Landing() {
    if (!waited) --engine.refreshing_;
    const auto at = engine.flights_.find(flight->text);
    if (at != engine.flights_.end() && at->second == flight) engine.flights_.erase(at);
  }
};

Engine::Engine(Parts parts, EngineSettings settings)
    : parts_(std::move(parts)),
      settings_(std::move(settings)),
      store_(parts_.db),
      anchors_(parts_.loop, parts_.anchors),
      random_(std::random_device{}()),
      pace_(parts_.loop),
      ticker_(parts_.loop) {}

Engine::~Engine() = default;

base::Result<std::size_t> Engine::load(const std::string& conditions) {
  const base::Time now = parts_.clock.now();
  if (auto opened = anchors_.open(now); !opened) return std::unexpected(opened.error());
  if (auto begun = store_.begin(conditions); !begun) return std::unexpected(begun.error());
  std::size_t count = 0;
  auto loaded = store_.load([&](const Told& told) {
    bool whole = told.over() > now;
    for (const Told::Reply& reply : told.replies) whole = whole && anchors_.keep(reply.files, told.over());
    if (!whole || told.usable <= now) return;
    put(told, now);
    ++count;
  });
  if (!loaded) return std::unexpected(loaded.error());
  return count;
}

void Engine::start() {
  parts_.loop.spawn(refresh());
  parts_.loop.spawn(tend());
}

void Engine::stop() {
  if (std::exchange(stopping_, true)) return;
  due_.clear();
  parts_.loop.spawn(end());
}

io::Task<void> Engine::end() {
  ticker_.cancel();
  io::Timer timer(parts_.loop);
  while (store_.unwritten() > 0) {
    co_await store_.tend(parts_.clock.now());
    const bool elapsed = co_await timer.wait(kPace);
    if (!elapsed || store_.failing()) break;
  }
  stopped_ = true;
}

void Engine::find(Profile profile, const std::string& key, Tell tell) {
  ++stats_.asked;
  const auto parsed = socketmap::Destination::parse(key);
  if (!parsed) return tell(socketmap::reply_to(parsed.error()));
  if (profile >= settings_.maps.size()) return tell(socketmap::permanent("there is no such map"));
  std::string ready;
  if (parts_.answers.find(profile, parsed->key(), parts_.clock.now(), ready)) return tell(std::move(ready));
  const FlightPtr flight = begin(*parsed);
  if (!flight) return tell(socketmap::temporary("too many lookups are under way"));
  const std::string& map = settings_.maps[profile].name;
  flight->waiting.push_back([tell = std::move(tell), &map](const std::shared_ptr<const Told>& told) {
    const Told::Reply* reply = told ? told->find(map) : nullptr;
    tell(reply ? reply->text : socketmap::temporary("the lookup came to no end"));
  });
  if (!flight->lookup) parts_.loop.spawn(fly(flight, true));
}

io::Task<base::Result<std::shared_ptr<const Told>>> Engine::ask(std::string key) {
  using Out = base::Result<std::shared_ptr<const Told>>;
  const auto parsed = socketmap::Destination::parse(key);
  if (!parsed) co_return std::unexpected(parsed.error());
  const auto known = store_.find(parsed->key());
  if (known && known->usable > parts_.clock.now()) co_return Out(std::make_shared<const Told>(*known));
  const FlightPtr flight = begin(*parsed);
  if (!flight) co_return base::fail("policyd.busy", "too many lookups are under way");
  const auto done = std::make_shared<io::OneShot<std::shared_ptr<const Told>>>();
  flight->waiting.push_back([done](const std::shared_ptr<const Told>& told) { done->set(told); });
  if (!flight->lookup) parts_.loop.spawn(fly(flight, true));
  // Named first: g++ 12 would wait on a copy of what `*done` gives.
  io::OneShot<std::shared_ptr<const Told>>& arrival = *done;
  std::shared_ptr<const Told> told = co_await arrival;
  if (!told) co_return base::fail("policyd.lookup", "the lookup came to no end");
  co_return Out(std::move(told));
}

// The lookup under way, or one that is yet to be started; null: there are too many.
Engine::FlightPtr Engine::begin(const socketmap::Destination& key) {
  std::string text = key.key();
  if (const auto other = flights_.find(text); other != flights_.end()) {
    ++stats_.shared;
    return other->second;
  }
  if (flights_.size() >= settings_.most_waited + settings_.lookups) {
    ++stats_.temporary["busy"];
    return nullptr;
  }
  auto flight = std::make_shared<Flight>(key);
  flight->text = text;
  flights_.emplace(std::move(text), flight);
  return flight;
}

io::Task<void> Engine::fly(FlightPtr flight, bool waited) {
  ++(waited ? stats_.cold : stats_.refreshed);
  std::shared_ptr<const Told> told;
  {
    const Landing landing(*this, flight, waited);
    try {
      told = co_await look(flight);
    } catch (const std::exception& e) {
      base::log_error("lookup_broken", {{"domain", flight->text}, {"detail", e.what()}});
    }
  }
  for (const auto& tell : std::exchange(flight->waiting, {})) tell(told);
}

io::Task<std::shared_ptr<const Told>> Engine::look(FlightPtr flight) {
  constexpr int kMostRounds = 5;
  std::optional<Told> before;
  Told told;
  int round = 0;
  do {
    flight->again = false;
    const discovery::Gatherer& gatherer = parts_.gatherer;
    const std::uint16_t port = flight->key.port.value_or(parts_.port);
    flight->lookup = std::make_shared<Lookup>(parts_.loop, gatherer.at_port(port), flight->key, port);
    co_await Lookup::run(flight->lookup, settings_.lookup_timeout);
    before = store_.find(flight->text);
    const bool bound = before && before->demanding();
    const Lookup& lookup = *flight->lookup;
    postfix::DomainKnown known = lookup.known(parts_.clock.now(), bound);
    const bool probed = parts_.prober && port == parts_.port;
    if (probed) lookup.see(*parts_.prober, known);
    const bool nothing_new = Lookup::failed(known);
    flight->lacks = Lookup::failed_in_part(known);
    told = co_await tell_maps(flight, std::move(known));
    if (probed) lookup.probe(*parts_.prober, flight->needs_probe);
    if (!refused(told)) continue;
    if (auto older = nothing_new ? told_on(told, before) : held(*flight, told, before))
      told = std::move(*older);
  } while (flight->again && ++round < kMostRounds);
  publish(*flight, told, before);
  co_return std::make_shared<const Told>(std::move(told));
}

io::Task<Told> Engine::tell_maps(FlightPtr flight, postfix::DomainKnown known) {
  Told out;
  out.key = flight->text;
  out.made = known.now;
  out.hosts = flight->lookup->bound_to();
  std::vector<base::Time> ends = flight->lookup->ends();
  std::vector<postfix::AnchorFile> files;
  flight->unseen = true;
  for (const Map& map : settings_.maps) {
    postfix::Telling telling = postfix::tell(known, map.options);
    Told::Reply reply;
    reply.map = map.name;
    reply.reason = std::move(telling.reason);
    reply.notes = std::move(telling.notes);
    reply.demanding = telling.demanding;
    using Kind = postfix::Telling::Kind;
    reply.text = telling.kind == Kind::ok          ? "OK " + telling.text
                 : telling.kind == Kind::not_found ? std::string(socketmap::kNotFound)
                                                   : socketmap::temporary(telling.text);
    if (reply.text.size() > kMostReply)
      reply.text = socketmap::temporary("the policy is too long for Postfix");
    for (postfix::AnchorFile& file : telling.files) {
      reply.files.push_back(file.path);
      files.push_back(std::move(file));
    }
    if (telling.until) ends.push_back(*telling.until);
    flight->unseen = flight->unseen && (!temporary(reply) || telling.wants_probe);
    flight->needs_probe = flight->needs_probe || telling.wants_probe || telling.until;
    out.replies.push_back(std::move(reply));
  }
  out.kept = Lookup::keeps(known);
  const base::Time end = end_of(known.now, flight->lookup->ttl(), ends);
  out.refresh = known.now + part_of(end - known.now, 0.7, 0.9);
  out.usable = end;
  if (refused(out)) {
    out.usable = out.refresh = known.now + part_of(2 * kTempLeast, 0.5, 1);
    const char* of = known.kind == postfix::DomainKnown::Kind::failure ? "dns"
                     : Lookup::failed(known)                           ? "hosts"
                                                                       : "mapping";
    ++stats_.temporary[of];
  }
  if (files.empty()) co_return out;
  const auto written = co_await anchors_.write(std::move(files), out.over());
  if (written) co_return out;
  ++stats_.temporary["anchors"];
  base::log_error("anchors_not_written", {{"domain", out.key}, {"detail", written.error().detail}});
  for (Told::Reply& reply : out.replies) {
    if (!reply.files.empty()) reply.text = socketmap::temporary(written.error().detail);
  }
  out.usable = out.refresh = known.now + kTempLeast;
  co_return out;
}

// What demanded something demands it for a while longer: no answer would hold mail back, a weaker one would
// not protect it.
std::optional<Told> Engine::told_on(const Told& failed, const std::optional<Told>& before) {
  const base::Time now = parts_.clock.now();
  if (!before || !before->demanding() || now >= before->made + kStale) return std::nullopt;
  Told out = *before;
  bool any = false;
  for (Told::Reply& reply : out.replies) {
    const Told::Reply* instead = failed.find(reply.map);
    if (reply.demanding && anchors_.keep(reply.files, before->over())) {
      any = true;
    } else if (instead) {
      reply = *instead;
    }
  }
  if (!any) return std::nullopt;
  out.refresh = now + part_of(std::chrono::minutes(1), 0.5, 1);
  out.usable = std::min<base::Time>(now + std::chrono::minutes(2), before->made + kStale);
  ++stats_.told_on;
  const std::string why = failed.replies.empty() ? "" : failed.replies.front().text;
  base::log_warning(
      "told_on",
      {{"domain", out.key}, {"what", shown(out)}, {"made", base::format_time(out.made)}, {"reason", why}});
  return out;
}

// What was told is not over yet, and nothing that was noted or forgotten has ended it: a certificate that was
// seen before a restart, TLSA records that cannot be had this time, are no reason to hold mail back earlier.
std::optional<Told> Engine::held(const Flight& flight, const Told& told, const std::optional<Told>& before) {
  const base::Time now = parts_.clock.now();
  if ((!flight.lacks && !flight.unseen) || !before || before->usable <= now) return std::nullopt;
  for (const Told::Reply& reply : told.replies) {
    const Told::Reply* was = before->find(reply.map);
    if (!was || !anchors_.keep(was->files, before->over())) return std::nullopt;
    if (temporary(reply) && !was->demanding) return std::nullopt;
  }
  Told out = *before;
  out.refresh = std::min<base::Time>(out.usable, now + part_of(std::chrono::minutes(1), 0.5, 1));
  return out;
}

void Engine::publish(const Flight& flight, const Told& told, const std::optional<Told>& before) {
  put(told, flight.waiting.empty() ? flight.asked : parts_.clock.now());
  const std::string reason = told.replies.empty() ? "" : told.replies.front().reason;
  const bool temp = refused(told);
  base::log(temp ? base::Level::warning : base::Level::debug, temp ? "told_temporary" : "told",
            {{"domain", told.key},
             {"what", shown(told)},
             {"reason", reason},
             {"refresh", base::format_time(told.refresh)}});
  if (temp) {
    // What was told before holds on while the DNS is broken, and no longer.
    if (!flight.lacks) store_.erase(told.key);
    return;
  }
  if (before && !same(*before, told)) {
    ++stats_.changed;
    base::log_info("told_changed",
                   {{"domain", told.key}, {"from", shown(*before)}, {"to", shown(told)}, {"reason", reason}});
  }
  store_.save(told);
}

void Engine::put(const Told& told, base::Time asked) {
  for (std::size_t i = 0; i < settings_.maps.size(); ++i) {
    const Told::Reply* reply = told.find(settings_.maps[i].name);
    if (!reply) continue;
    const bool kept = told.kept && !temporary(*reply);
    if (!parts_.answers.put(static_cast<Profile>(i), told.key,
                            {reply->text, told.refresh, told.usable, kept, asked}))
      base::log_warning("no_room_for_answers",
                        {{"domain", told.key}, {"what", "raise policyd.cache_memory"}});
  }
}

void Engine::forget(const std::string& key) {
  base::Time asked{};
  for (std::size_t i = 0; i < settings_.maps.size(); ++i)
    asked = std::max(asked, parts_.answers.erase(static_cast<Profile>(i), key));
  store_.erase(key);
  if (const auto flight = flights_.find(key); flight != flights_.end()) flight->second->again = true;
  if (due_.size() < kMostDue && in_due_.insert(key).second) due_.push_back({key, asked});
  pace_.cancel();
}

void Engine::host_changed(const std::string& host) {
  // What is under way has its facts already, or may.
  for (const auto& [key, flight] : flights_) {
    if (flight->lookup && flight->lookup->uses(host)) flight->again = true;
  }
  parts_.loop.spawn(forget_served_by(host));
}

void Engine::domain_changed(const std::string& domain) { host_changed(Lookup::index_of_domain(domain)); }

io::Task<void> Engine::forget_served_by(std::string host) {
  // Some of those that are in memory are not known by their hosts.
  if (store_.take_lost()) parts_.answers.clear();
  for (const std::string& key : store_.served_unwritten(host)) forget(key);
  io::Timer timer(parts_.loop);
  std::string after;
  for (;;) {
    const auto keys = store_.served_by(host, after, kServed);
    if (!keys) {
      base::log_error("answers_unreadable", {{"host", host}, {"detail", keys.error().detail}});
      store_.distrust();
      parts_.answers.clear();
      co_return;
    }
    for (const std::string& key : *keys) forget(key);
    if (keys->size() < kServed) co_return;
    after = keys->back();
    const bool elapsed = co_await timer.wait(base::Milliseconds(1));
    if (!elapsed) co_return;
  }
}

void Engine::all_changed(const std::string& conditions) {
  parts_.answers.clear();
  for (const auto& [key, flight] : flights_) flight->again = true;
  parts_.loop.spawn(forget_all(conditions));
}

io::Task<void> Engine::forget_all(std::string conditions) {
  const auto done = co_await store_.begin_again(std::move(conditions));
  if (!done) base::log_error("answers_not_stored", {{"detail", done.error().detail}});
}

io::Task<void> Engine::refresh() {
  io::Steady::time_point looked{};
  for (;;) {
    if (stopping_) co_return;
    if (due_.size() < kMostDue / 2 && io::Steady::now() >= looked + kSecond) {
      looked = io::Steady::now();
      for (Answers::Due& one : parts_.answers.due(parts_.clock.now(), kMostDue / 10)) {
        if (in_due_.insert(one.domain).second) due_.push_back({std::move(one.domain), one.asked});
      }
    }
    const std::size_t group = settings_.lookups / kGroups + 1;
    for (std::size_t n = 0; n < group && refreshing_ < settings_.lookups && !due_.empty(); ++n) {
      if (flights_.size() >= settings_.most_waited) break;
      const Due due = std::move(due_.front());
      due_.pop_front();
      in_due_.erase(due.key);
      const auto key = socketmap::Destination::parse(due.key);
      // One who waits sees to it.
      if (!key || flights_.contains(key->key())) continue;
      const FlightPtr flight = begin(*key);
      if (!flight) continue;
      flight->asked = due.asked;
      parts_.loop.spawn(fly(flight, false));
    }
    const base::Milliseconds pause = due_.empty() ? base::Milliseconds(kSecond) : kPace;
    const bool elapsed = co_await pace_.wait(pause);
    (void)elapsed;  // else something is due at once
  }
}

io::Task<void> Engine::tend() {
  base::Time cleaned = parts_.clock.now();
  for (;;) {
    const bool elapsed = co_await ticker_.wait(kSecond);
    if (!elapsed) co_return;
    const base::Time now = parts_.clock.now();
    parts_.answers.drop_old(now);
    if (now >= cleaned + kCleanEach) {
      anchors_.clean(now);
      cleaned = now;
    }
    co_await store_.tend(now);
  }
}

EngineStats Engine::stats() const {
  EngineStats out = stats_;
  out.running = flights_.size();
  out.waiting = due_.size();
  out.anchors = anchors_.size();
  out.unwritten = store_.unwritten();
  return out;
}

// All alike between these parts of it, so that what was made together does not end together.
base::Milliseconds Engine::part_of(base::Milliseconds whole, double least, double most) {
  std::uniform_real_distribution<double> part(least, most);
  return base::Milliseconds(static_cast<std::int64_t>(static_cast<double>(whole.count()) * part(random_)));
}

base::Time end_of(base::Time now, base::Seconds ttl, const std::vector<base::Time>& ends) {
  constexpr base::Seconds kLeast = std::chrono::minutes(1), kMost = std::chrono::hours(1);
  base::Time end = now + std::min(ttl, kMost);
  for (const base::Time one : ends) end = std::min(end, one);
  return std::max<base::Time>(end, now + kLeast);
}

}  // namespace pinnace::policyd
