// What a receiver owes (pinning-protocol 7): an advert is a promise to everybody who hears it, until the last
// of them has forgotten it. The ledger of one host name remembers them all, says which certificate they
// allow, and how much may be promised next. Pure: time, keys and settings come in as values.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pins/advert.hpp"

namespace pinnace::pins {

// By how much the end of a promise is put off, because clocks are set now and then: an hour, of a short
// promise a 24th. As often is the ledger written, as far ahead.
base::Seconds margin(base::Seconds max_age);

struct Promise {
  std::vector<Pin> pins;  // sorted, none twice
  Scope scope = Scope::host;
  Mode mode = Mode::enforce;
  base::Seconds max_age{};
  base::Time first_said{};
  base::Time said_until{};  // the last moment at which it may be said; kept before it is said
  bool assumed = false;     // stands for what a lost ledger held
  bool broken = false;      // the operator broke it; it stands in nobody's way any more

  // When the last who heard it has forgotten it.
  base::Time ends() const { return said_until + max_age + margin(max_age); }
  bool outstanding(base::Time now) const { return now < ends(); }
  // MODE=REPORT fails nobody's mail (pinning-protocol 5.3).
  bool binds(base::Time now) const { return mode == Mode::enforce && !broken && outstanding(now); }
  bool holds(const Pin& pin) const;
  bool operator==(const Promise&) const = default;
};

// The keys by which a certificate can match: its own, and those of the CAs above it, as far as the chain that
// is sent verifies up to them and the leaf bears the host's name (pinning-protocol 2.1, 2.2).
using Vouchers = std::vector<Pin>;

// Why certificates cannot go in.
struct Obstacle {
  Promise promise;     // that ends last of those that they do not meet
  base::Time until{};  // from then on they could, if no advert without their keys goes out any more
  std::size_t promises = 0;
};

// How much is promised (gate.advert).
struct Schedule {
  base::Seconds max_age = std::chrono::days(60);  // the most
  std::vector<base::Seconds> ramp;                // leads to it; empty: at once
  std::optional<Mode> mode;                       // nothing: REPORT in the first week
};
struct Terms {
  base::Seconds max_age{};
  Mode mode = Mode::enforce;
  bool operator==(const Terms&) const = default;
};

class Ledger {
 public:
  static constexpr std::size_t kMostPromises = 1000;
  static constexpr base::Seconds kReportFirst = std::chrono::days(7);

  // Nothing was ever promised, as far as this ledger knows.
  bool empty() const { return promises_.empty(); }
  const std::vector<Promise>& promises() const { return promises_; }

  // May it be said now, as this ledger stands? What withdraws (MAX-AGE=0) promises nothing.
  bool covers(const Advert& advert, base::Time now) const;
  // Until when it may be said. The epoch: not at all.
  base::Time covered_until(const Advert& advert) const;
  // It may be said from now on, for twice its margin. False: there are too many promises already. What is
  // long over is forgotten.
  bool cover(const Advert& advert, base::Time now);

  // Nothing: each of the certificates meets every promise that binds.
  std::optional<Obstacle> obstacle(std::span<const Vouchers> certificates, base::Time now) const;
  // What these certificates do not meet is broken, and the ramp begins anew. The promises that were broken.
  std::vector<Promise> break_for(std::span<const Vouchers> certificates, base::Time now);

  // The ledger was lost: for so long anybody may hold a promise that held the keys which are live, and
  // perhaps no other.
  void assume(std::vector<Pin> live, base::Seconds longest, base::Time now);

  // These certificates are served from now on, by their digests. Others than before are a renewal.
  void serve(const std::string& certificates, base::Time now);
  // A step of the ramp is passed when a renewal succeeded since it began, and it lasted as long as what it
  // promises.
  Terms terms(const Schedule& schedule, base::Time now);
  std::size_t step() const { return step_; }
  base::Time step_since() const { return step_since_; }

  // The first of the promises that hold the key; nothing: none does.
  std::optional<base::Time> promised_since(const Pin& key, base::Time now) const;
  // Until then some promise that binds has fewer than two of the keys in it: `now` where none has.
  base::Time thin_until(std::span<const Pin> keys, base::Time now) const;

  std::string encode() const;
  static base::Result<Ledger> decode(std::string_view record);
  bool operator==(const Ledger&) const = default;

 private:
  void begin_ramp(base::Time now);

  std::vector<Promise> promises_;
  base::Time first_promise_{};
  std::size_t step_ = 0;
  base::Time step_since_{};
  std::uint32_t renewals_ = 0;  // since then
  std::string served_;          // digests
};

}  // namespace pinnace::pins
