// Slows down whoever guesses passwords: after each failure the next login of that client, and of that
// user from wherever, waits longer. A client from which a user once logged in well is not held up by
// what others try in that user's name.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"

namespace pinnace::auth {

struct ThrottleSettings {
  base::Milliseconds first_pause = std::chrono::seconds(1);  // doubled with each failure
  base::Milliseconds longest_pause = std::chrono::minutes(1);
  base::Milliseconds patience = std::chrono::seconds(10);  // a login waits no longer than that
  base::Milliseconds memory = std::chrono::hours(1);       // without a failure; then all is forgotten
  std::size_t most = 10'000;                               // clients, users, and good pairs
  std::size_t side_by_side = 3;                            // logins of a client, and of a user
};

class Throttle {
 public:
  explicit Throttle(ThrottleSettings settings = {}) : settings_(settings) {}

  // A login under way, until it is destroyed; not longer than the throttle.
  class Attempt;
  // Nothing: as many as may be are under way already of that client, or in that user's name, and nobody knows
  // what comes of them. A client from which the user logged in well is counted apart, with that user.
  std::optional<Attempt> begin(const std::string& client, const std::string& user);

  // How long a login waits until it may be looked at; nothing: longer than anybody should wait, it is
  // refused for now. Logins side by side wait one after the other. `client` names a network that is one
  // party.
  std::optional<base::Milliseconds> admit(const std::string& client, const std::string& user, base::Time now);
  void failed(const std::string& client, const std::string& user, base::Time now);
  void succeeded(const std::string& client, const std::string& user);

 private:
  struct Entry {
    unsigned failures = 0;
    base::Time next{};  // when another login is looked at
    base::Time last{};  // the last failure
  };
  using Table = std::map<std::string, Entry>;
  Entry* find(Table& table, const std::string& key, base::Time now);
  void add(Table& table, const std::string& key, base::Time now);
  base::Milliseconds pause(const Entry& entry) const;

  ThrottleSettings settings_;
  Table clients_;
  Table users_;
  using Pair = std::pair<std::string, std::string>;  // client and user
  std::set<Pair> good_;
  std::map<Pair, std::size_t> under_way_;  // empty: whatever client, whatever user
};

class Throttle::Attempt {
 public:
  Attempt(Throttle& throttle, std::vector<Pair> keys);
  Attempt(Attempt&&) noexcept = default;  // leaves no keys behind
  Attempt& operator=(Attempt&&) = delete;
  ~Attempt();

 private:
  Throttle& throttle_;
  std::vector<Pair> keys_;
};

}  // namespace pinnace::auth
