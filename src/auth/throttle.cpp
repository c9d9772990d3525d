#include "auth/throttle.hpp"

#include <algorithm>

namespace pinnace::auth {

Throttle::Entry* Throttle::find(Table& table, const std::string& key, base::Time now) {
  const auto found = table.find(key);
  if (found == table.end()) return nullptr;
  if (now - found->second.last < settings_.memory) return &found->second;
  table.erase(found);
  return nullptr;
}

base::Milliseconds Throttle::pause(const Entry& entry) const {
  base::Milliseconds out = settings_.first_pause;
  for (unsigned i = 1; i < entry.failures && out < settings_.longest_pause; ++i) out *= 2;
  return std::min(out, settings_.longest_pause);
}

std::optional<Throttle::Attempt> Throttle::begin(const std::string& client, const std::string& user) {
  std::vector<Pair> keys;
  if (good_.contains({client, user})) {
    keys = {{client, user}};
  } else {
    keys = {{client, ""}, {"", user}};
  }
  for (const Pair& key : keys) {
    const auto there = under_way_.find(key);
    if (there != under_way_.end() && there->second >= settings_.side_by_side) return std::nullopt;
  }
  return Attempt(*this, std::move(keys));
}

Throttle::Attempt::Attempt(Throttle& throttle, std::vector<Pair> keys)
    : throttle_(throttle), keys_(std::move(keys)) {
  for (const Pair& key : keys_) ++throttle_.under_way_[key];
}

Throttle::Attempt::~Attempt() {
  for (const Pair& key : keys_) {
    const auto there = throttle_.under_way_.find(key);
    if (--there->second == 0) throttle_.under_way_.erase(there);
  }
}

std::optional<base::Milliseconds> Throttle::admit(const std::string& client, const std::string& user,
                                                  base::Time now) {
  if (good_.contains({client, user})) return base::Milliseconds(0);
  Entry* const entries[] = {find(clients_, client, now), find(users_, user, now)};
  base::Time at = now;
  for (const Entry* e : entries) {
    if (e) at = std::max(at, e->next);
  }
  if (at - now > settings_.patience) return std::nullopt;
  for (Entry* e : entries) {
    if (e) e->next = at + pause(*e);
  }
  return at - now;
}

void Throttle::add(Table& table, const std::string& key, base::Time now) {
  Entry* entry = find(table, key, now);
  if (!entry) {
    // Whoever failed longest ago makes room.
    if (table.size() >= settings_.most)
      table.erase(std::min_element(table.begin(), table.end(), [](const auto& a, const auto& b) {
        return a.second.last < b.second.last;
      }));
    entry = &table[key];
  }
  ++entry->failures;
  entry->last = now;
  entry->next = std::max(entry->next, now + pause(*entry));
}

void Throttle::failed(const std::string& client, const std::string& user, base::Time now) {
  good_.erase({client, user});
  add(clients_, client, now);
  add(users_, user, now);
}

void Throttle::succeeded(const std::string& client, const std::string& user) {
  if (good_.size() >= settings_.most) good_.erase(good_.begin());
  good_.emplace(client, user);
}

}  // namespace pinnace::auth
