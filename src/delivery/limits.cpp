#include "delivery/limits.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::delivery {

using Subject = policy::Rule::Subject;

namespace {

std::string key_of(Subject subject, const std::string& name) {
  return (subject == Subject::domain ? "domain " : "host ") + name;
}

void set_bucket(std::optional<TokenBucket>& bucket, const std::shared_ptr<const policy::Rule>& rule,
                base::Time now) {
  if (!rule) {
    bucket.reset();
  } else if (bucket) {
    bucket->set_rate(*rule->rate, now);
  } else {
    bucket.emplace(*rule->rate, now);
  }
}

}  // namespace

std::string Limits::Allowance::key() const { return key_of(subject, name); }

std::string Limits::Allowance::sentence(Need need) const {
  const std::shared_ptr<const policy::Rule>& rule = need == Need::message ? limit.rate : limit.concurrency;
  if (!rule) return {};
  // Which of the names that a pattern matches.
  const std::string whose = rule->pattern.str() == name ? "" : fmt::format(" ({})", name);
  return need == Need::message
             ? fmt::format("waits for the rate of {}{}: {}", rule->str(), whose, rule->rate->str())
             : fmt::format("waits for a connection, of which {}{} lets {} be at once", rule->str(), whose,
                           *rule->concurrency);
}

void Limits::Allowance::set_limit(policy::Limit to, base::Time now) {
  limit = std::move(to);
  set_bucket(messages, limit.rate, now);
  set_bucket(calls, limit.rate, now);
}

Limits::Limits(const base::Clock& clock, std::function<void()> on_change)
    : clock_(clock), on_change_(std::move(on_change)) {}

void Limits::set_rules(std::shared_ptr<const policy::RuleBook> rules) {
  if (rules == rules_) return;
  rules_ = std::move(rules);
  for (auto& [key, a] : allowances_) {
    a.set_limit(rules_->limit_of(a.subject, a.name), clock_.now());
    set_alarm(a);
  }
  on_change_();
}

Limits::Allowance* Limits::known(const std::string& key) {
  const auto found = allowances_.find(key);
  return found == allowances_.end() ? nullptr : &found->second;
}

// Null: nothing limits that name.
Limits::Allowance* Limits::find(Subject subject, const std::string& name) {
  policy::Limit limit = rules_->limit_of(subject, name);
  if (!limit.any()) return nullptr;
  std::string key = key_of(subject, name);
  if (Allowance* a = known(key)) return a;
  if (allowances_.size() >= forget_at_) forget_unused();
  Allowance& a = allowances_[std::move(key)];
  a.subject = subject;
  a.name = name;
  a.set_limit(std::move(limit), clock_.now());
  return &a;
}

std::vector<Limits::Allowance*> Limits::allowances(const Way& way) {
  std::vector<Allowance*> out;
  if (Allowance* a = find(Subject::domain, way.domain)) out.push_back(a);
  if (way.host.empty()) return out;
  const std::string domain = out.empty() ? "" : out.front()->key();
  if (Allowance* a = find(Subject::host, way.host)) out.push_back(a);
  // Making room for the host's may have taken the domain's away.
  if (!domain.empty() && !known(domain)) return allowances(way);
  return out;
}

// What is full again is as one that is new. Where there are too many others, limits are forgotten before
// memory has no end.
void Limits::forget_unused() {
  const base::Time now = clock_.now();
  const auto idle = [](const Allowance& a) {
    return a.open == 0 && a.for_message.empty() && a.for_connection.empty();
  };
  std::erase_if(allowances_, [&](const auto& entry) {
    const Allowance& a = entry.second;
    return idle(a) && (!a.messages || a.messages->full(now));
  });
  if (allowances_.size() > kMost / 2)
    std::erase_if(allowances_, [&](const auto& entry) { return idle(entry.second); });
  forget_at_ = std::max<std::size_t>(1000, 2 * allowances_.size());
}

// `first`: nobody who waits comes before it.
std::optional<Limits::Full> Limits::full(Allowance& a, Need need, bool first) {
  const base::Time now = clock_.now();
  const auto lets_message = [&] {
    if (!a.messages) return true;
    if (first) return a.messages->has(now);
    return a.for_message.empty() && a.messages->count(now) > (need == Need::connection ? a.opening : 0);
  };
  if (!lets_message()) {
    const policy::Rate& rate = *a.limit.rate->rate;
    const auto ahead = base::Milliseconds(rate.per) * (a.for_message.size() + 1) / rate.messages;
    return Full{a.key(), Need::message, now + ahead, a.sentence(Need::message)};
  }
  const bool connection =
      need == Need::message || ((first || a.for_connection.empty()) && a.connection_free());
  if (connection) return std::nullopt;
  return Full{a.key(), Need::connection, now, a.sentence(Need::connection)};
}

bool Limits::called_before(const std::string& destination) const {
  const auto place = places_.find(destination);
  return place != places_.end() && place->second.called;
}

std::optional<Limits::Full> Limits::full(const Way& way, Need need) {
  const bool first = called_before(way.destination);
  for (Allowance* a : allowances(way)) {
    if (auto no_room = full(*a, need, first)) return no_room;
  }
  return std::nullopt;
}

Limits::Held Limits::connect(const Way& way) {
  std::vector<Allowance*> of = allowances(way);
  if (of.empty()) return nullptr;
  if (const auto place = places_.find(way.destination); place != places_.end()) place->second.called = false;
  return std::make_shared<Connection>(*this, std::move(of));
}

std::optional<Limits::Full> Limits::begin(const Way& way, const Held& over) {
  const bool first = (over && over->opening_) || called_before(way.destination);
  const std::vector<Allowance*> of = allowances(way);
  for (Allowance* a : of) {
    if (auto no_room = full(*a, Need::message, first)) return no_room;
  }
  for (Allowance* a : of) {
    if (a->messages) a->messages->take(clock_.now());
  }
  if (over) over->begun();
  if (const auto place = places_.find(way.destination); place != places_.end()) place->second.called = false;
  return std::nullopt;
}

Limits::Connection::Connection(Limits& limits, std::vector<Allowance*> of)
    : limits_(limits), of_(std::move(of)) {
  for (Allowance* a : of_) {
    ++a->open;
    ++a->opening;
  }
}

void Limits::Connection::begun() {
  if (!opening_) return;
  opening_ = false;
  for (Allowance* a : of_) --a->opening;
}

Limits::Connection::~Connection() {
  begun();
  for (Allowance* a : of_) limits_.closed(*a);
}

void Limits::closed(Allowance& a) {
  --a.open;
  if (a.for_connection.empty()) return;
  set_alarm(a);
  on_change_();
}

bool Limits::wanted_by_others(const Held& held, const std::string& destination) {
  if (!held) return false;
  return std::any_of(held->of_.begin(), held->of_.end(), [&](const Allowance* a) {
    const Line& line = a->for_connection;
    return !line.empty() && (line.size() > 1 || line.front() != destination);
  });
}

void Limits::leave_line(Place& place) {
  if (!place.at) return;
  known(place.allowance)->line(place.line).erase(*place.at);
  place.at.reset();
}

void Limits::wait(const std::string& destination, const Full& full, const Held& over) {
  Allowance* a = known(full.allowance);
  if (!a) return;  // forgotten since: there is room
  Place& place = places_[destination];
  if (place.at && place.allowance == full.allowance && place.line == full.line) return;
  leave_line(place);
  place.allowance = full.allowance;
  place.line = full.line;
  Line& line = a->line(full.line);
  const bool first = place.called || (over && over->opening_);
  place.at = line.insert(first ? line.begin() : line.end(), destination);
  set_alarm(*a);
  on_change_();
}

std::optional<Limits::Need> Limits::waits(const std::string& destination) const {
  const auto place = places_.find(destination);
  const bool in_line = place != places_.end() && place->second.at;
  return in_line ? std::optional(place->second.line) : std::nullopt;
}

std::string Limits::why(const std::string& destination) {
  const auto place = places_.find(destination);
  if (place == places_.end()) return {};
  Allowance* a = known(place->second.allowance);
  if (!a) return {};
  if (place->second.at) return a->sentence(place->second.line);
  // Between two messages it stands in no line, and the others wait all the same.
  const auto no_room = full(*a, place->second.line, false);
  return no_room ? no_room->sentence : std::string();
}

void Limits::left(const std::string& destination) {
  const auto place = places_.find(destination);
  if (place != places_.end() && !place->second.at) places_.erase(place);
}

std::size_t Limits::waiting() const {
  return static_cast<std::size_t>(
      std::count_if(places_.begin(), places_.end(), [](const auto& p) { return p.second.at.has_value(); }));
}

// `connections_at`: before that nobody is called for a connection.
void Limits::set_alarm(Allowance& a, base::Time connections_at) {
  const base::Time now = clock_.now();
  base::Time at = base::Time::max();
  if (!a.for_message.empty()) at = a.messages ? std::max(a.messages->next(now), a.calls->next(now)) : now;
  if (!a.for_connection.empty() && a.connection_free()) at = std::min(at, std::max(now, connections_at));
  if (at == a.alarm) return;
  a.alarm = at;
  if (at != base::Time::max()) alarms_.emplace(at, a.key());
}

void Limits::call(Allowance& a, std::vector<std::string>& out,
                  const std::function<bool(const std::string&)>& wants) {
  const base::Time now = clock_.now();
  const auto next = [&](Line& line) {
    const std::string destination = std::move(line.front());
    line.pop_front();
    Place& place = places_.at(destination);
    place.at.reset();
    if (!wants(destination)) {
      places_.erase(destination);
      return false;
    }
    place.called = true;
    out.push_back(destination);
    return true;
  };
  while (!a.for_message.empty() && (!a.messages || (a.messages->has(now) && a.calls->has(now)))) {
    if (next(a.for_message) && a.calls) a.calls->take(now);
  }
  std::size_t free = a.connection_free() ? a.for_connection.size() : 0;
  if (a.limit.concurrency && free > 0)
    free = std::min<std::size_t>(free, *a.limit.concurrency->concurrency - a.open);
  while (!a.for_connection.empty() && free > 0) free -= next(a.for_connection) ? 1 : 0;
  set_alarm(a, now + base::Seconds(1));  // who was called has not connected yet
}

std::vector<std::string> Limits::called(const std::function<bool(const std::string&)>& wants) {
  std::vector<std::string> out;
  const base::Time now = clock_.now();
  if (now < latest_) {
    for (auto& [key, a] : allowances_) set_alarm(a);
  }
  latest_ = now;
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const auto [at, key] = std::move(*alarms_.begin());
    alarms_.erase(alarms_.begin());
    Allowance* a = known(key);
    if (!a || a->alarm != at) continue;
    a->alarm = base::Time::max();
    call(*a, out, wants);
  }
  return out;
}

std::optional<base::Time> Limits::next_call() const {
  return alarms_.empty() ? std::nullopt : std::optional(alarms_.begin()->first);
}

}  // namespace pinnace::delivery
