// Slows down whoever guesses passwords: after each failure the next login of that client, and of that
// user from wherever, waits longer. A client from which a user once logged in well is not held up by
// what others try in that user's name.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.hpp"

namespace pinnace::auth {

struct ThrottleSettings {
  base::Milliseconds first_pause = std::chrono::seconds(1);  // doubled with each failure
  base::Milliseconds longest_pause = std::chrono::minutes(1);
  base::Milliseconds patience = std::chrono::seconds(10);  // a login waits no longer than that
  base::Milliseconds memory = std::chrono::hours(1);       // without a failure; then all is forgotten
  std::size_t most = 10'000;                               // clients, users, and good pairs
};

class Throttle {
 public:
  explicit Throttle(ThrottleSettings settings = {}) : settings_(settings) {}

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
  std::set<std::pair<std::string, std::string>> good_;  // client and user
};

}  // namespace pinnace::auth
