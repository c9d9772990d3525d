// Makes what Postfix is told: gathers what is known of a next hop's mail hosts, has it decided and put into
// Postfix's words, and sees to it that the answer is made anew before it is over. Many who ask for one next
// hop share one lookup, and so do all maps. On the loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "discovery/gatherer.hpp"
#include "policyd/anchor_folder.hpp"
#include "policyd/answer_store.hpp"
#include "policyd/answers.hpp"
#include "policyd/prober.hpp"
#include "policyd/told.hpp"
#include "socketmap/destination.hpp"

namespace pinnace::policyd {

struct Map {
  std::string name;  // its place is the profile
  postfix::Options options;
};

struct EngineSettings {
  std::vector<Map> maps;
  std::size_t lookups = 64;                                      // at once, of answers that are due again
  std::size_t most_waited = 1000;                                // at once, that somebody waits for
  base::Milliseconds lookup_timeout = std::chrono::seconds(20);  // a next hop with all its hosts
};

struct EngineStats {
  std::uint64_t asked = 0;      // for an answer that was not ready
  std::uint64_t shared = 0;     // of these, joined a lookup that was under way
  std::uint64_t cold = 0;       // lookups somebody waited for
  std::uint64_t refreshed = 0;  // lookups ahead of an answer's end
  std::uint64_t told_on = 0;    // an older answer, for the DNS is broken
  std::uint64_t changed = 0;
  std::map<std::string, std::uint64_t> temporary;  // by what is wrong: "dns", "hosts", "mapping", ...
  std::size_t running = 0, waiting = 0;            // lookups now
  std::size_t anchors = 0;
  std::size_t unwritten = 0;  // answers that the store has not yet
};

class Engine {
 public:
  struct Parts {
    io::Loop& loop;
    const base::Clock& clock;
    discovery::Gatherer& gatherer;
    std::uint16_t port;  // of MX hosts where a next hop says none
    store::Database& db;
    Answers& answers;
    std::string anchors;  // folder
    Prober* prober;       // may be null, and set later
  };
  Engine(Parts parts, EngineSettings settings);
  ~Engine();  // only together with the loop's tasks

  // What was told before is told at once. `conditions`: what all answers are made under besides what is
  // looked up, as a text; where it is another than that of the answers in the store, these are forgotten.
  // Before the loop runs. Gives the number of next hops.
  base::Result<std::size_t> load(const std::string& conditions);
  void start();  // tasks that end with the loop
  void stop();   // begins no lookup any more, and writes what the store has not yet
  bool stopped() const { return stopped_; }
  void set_prober(Prober* prober) { parts_.prober = prober; }

  using Tell = std::function<void(std::string reply)>;
  // `tell` is called once, on the loop's thread, perhaps before this returns.
  void find(Profile profile, const std::string& key, Tell tell);
  // The same with the reasons. Error: `key` is no next hop.
  io::Task<base::Result<std::shared_ptr<const Told>>> ask(std::string key);

  // What is noted of a host, or of a domain, is another: the answers that go by it are made anew.
  void host_changed(const std::string& host);
  void domain_changed(const std::string& domain);
  // So are all, when rules are others.
  void all_changed(const std::string& conditions);

  EngineStats stats() const;

 private:
  struct Flight;
  struct Landing;
  using FlightPtr = std::shared_ptr<Flight>;

  FlightPtr begin(const socketmap::Destination& key);
  io::Task<void> fly(FlightPtr flight, bool waited);
  io::Task<std::shared_ptr<const Told>> look(FlightPtr flight);
  io::Task<Told> tell_maps(FlightPtr flight, postfix::DomainKnown known);
  std::optional<Told> told_on(const Told& failed, const std::optional<Told>& before);
  std::optional<Told> held(const Flight& flight, const Told& told, const std::optional<Told>& before);
  void publish(const Flight& flight, const Told& told, const std::optional<Told>& before);
  void put(const Told& told, base::Time asked);
  void forget(const std::string& key);
  io::Task<void> forget_served_by(std::string host);
  io::Task<void> refresh();
  io::Task<void> tend();
  io::Task<void> end();
  io::Task<void> forget_all(std::string conditions);
  base::Milliseconds part_of(base::Milliseconds whole, double least, double most);

  Parts parts_;
  EngineSettings settings_;
  AnswerStore store_;
  AnchorFolder anchors_;
  std::unordered_map<std::string, FlightPtr> flights_;
  struct Due {
    std::string key;
    base::Time asked;
  };
  std::deque<Due> due_;
  std::unordered_set<std::string> in_due_;
  EngineStats stats_;
  std::size_t refreshing_ = 0;
  bool stopping_ = false, stopped_ = false;
  std::mt19937_64 random_;
  io::Timer pace_;
  io::Timer ticker_;
};

// When an answer of `now` ends: with what the DNS said, or the first of the policies and pins behind it;
// never within a minute, and always within an hour.
base::Time end_of(base::Time now, base::Seconds ttl, const std::vector<base::Time>& ends);

}  // namespace pinnace::policyd
