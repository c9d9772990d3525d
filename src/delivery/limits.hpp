// The operator's limits (docs/configuration.md, Rules): what a recipient domain and an MX host may have of
// messages in a time and of connections at once. Each name has an allowance of its own, a domain's is shared
// by its destinations and a host's by all destinations whose mail goes there.
//
// A destination whose message finds no room waits in a line: one for the rate and one for the connections of
// each allowance. The first of a line is called when there is room, no more often than the rate lets messages
// through, so that a thousand destinations that wait cost no more than what is sent. Who is called and loses
// the room to another stands first again. While somebody waits, nobody who comes later overtakes him.
//
// A message takes its room when it begins, in a session that is ready: so no window of time sees more than
// the rate and its burst, however long connections take. No more connections are made for what is left of a
// rate than messages are left.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "delivery/token_bucket.hpp"
#include "policy/rule.hpp"

namespace pinnace::delivery {

class Limits {
 public:
  // `on_change` is called when called() or next_call() may be others: somebody waits, or there is room.
  Limits(const base::Clock& clock, std::function<void()> on_change);
  Limits(const Limits&) = delete;

  // In force at once, also for who waits.
  void set_rules(std::shared_ptr<const policy::RuleBook> rules);

  // Where a message goes. `host` may be empty: not known yet.
  struct Way {
    std::string destination;
    std::string domain;
    std::string host;
  };
  enum class Need { message, connection };  // the latter: and then a message
  struct Full {                             // whose allowance has no room
    std::string allowance;
    Need line = Need::message;
    base::Time expected{};  // about then it may have
    std::string sentence;   // for people: "waits for the rate of the rule for domain x.test: 100/min"
  };
  // Nothing: there is room.
  std::optional<Full> full(const Way& way, Need need);
  // Counts as a connection as long as it lives. Null: nothing limits that way.
  class Connection;
  using Held = std::shared_ptr<Connection>;
  Held connect(const Way& way);
  // Takes a message's room of both, or nothing.
  std::optional<Full> begin(const Way& way, const Held& over);

  // Into the line.
  void wait(const std::string& destination, const Full& full, const Held& over = nullptr);
  // The line in which the destination stands.
  std::optional<Need> waits(const std::string& destination) const;
  // Why a destination's mail waits, for people; empty: not for a limit.
  std::string why(const std::string& destination);
  // Other destinations wait for a connection such as this one.
  static bool wanted_by_others(const Held& held, const std::string& destination);
  // Nobody works for it: nothing is remembered but its place in a line.
  void left(const std::string& destination);

  // Whose turn it is now. Who does not want it any more is passed over.
  std::vector<std::string> called(const std::function<bool(const std::string& destination)>& wants);
  // Nothing: nobody is called before something changes.
  std::optional<base::Time> next_call() const;

  std::size_t size() const { return allowances_.size(); }  // names of which anything is remembered
  std::size_t waiting() const;                             // destinations in lines

  static constexpr std::size_t kMost = 100'000;  // names

 private:
  using Line = std::list<std::string>;
  struct Allowance {
    policy::Rule::Subject subject = policy::Rule::Subject::domain;
    std::string name;
    policy::Limit limit;
    std::optional<TokenBucket> messages;
    std::optional<TokenBucket> calls;  // no more are called than would be let through
    std::size_t open = 0;              // connections
    std::size_t opening = 0;           // those over which no message began yet
    Line for_message, for_connection;
    base::Time alarm = base::Time::max();

    std::string key() const;
    Line& line(Need need) { return need == Need::message ? for_message : for_connection; }
    std::string sentence(Need need) const;
    bool connection_free() const { return !limit.concurrency || open < *limit.concurrency->concurrency; }
    void set_limit(policy::Limit to, base::Time now);
  };
  struct Place {
    std::string allowance;  // in whose line it stands or stood
    Need line = Need::message;
    std::optional<Line::iterator> at;  // nothing: it stands in none
    bool called = false;               // and neither connected nor began since
  };

  std::vector<Allowance*> allowances(const Way& way);
  Allowance* find(policy::Rule::Subject subject, const std::string& name);
  Allowance* known(const std::string& key);
  std::optional<Full> full(Allowance& a, Need need, bool first);
  bool called_before(const std::string& destination) const;
  void leave_line(Place& place);
  void call(Allowance& a, std::vector<std::string>& out,
            const std::function<bool(const std::string&)>& wants);
  void set_alarm(Allowance& a, base::Time connections_at = {});
  void closed(Allowance& a);
  void forget_unused();

  const base::Clock& clock_;
  std::function<void()> on_change_;
  std::shared_ptr<const policy::RuleBook> rules_ = std::make_shared<const policy::RuleBook>();
  std::unordered_map<std::string, Allowance> allowances_;  // by key(), for instance "domain x.test"
  std::unordered_map<std::string, Place> places_;          // by destination
  std::multimap<base::Time, std::string> alarms_;          // one that the allowance does not know is old
  base::Time latest_{};                                    // that the clock has shown
  std::size_t forget_at_ = 1000;
};

class Limits::Connection {
 public:
  Connection(Limits& limits, std::vector<Allowance*> of);
  Connection(const Connection&) = delete;
  ~Connection();

 private:
  friend class Limits;
  void begun();

  Limits& limits_;
  std::vector<Allowance*> of_;  // which stay as long as one is open
  bool opening_ = true;
};

}  // namespace pinnace::delivery
