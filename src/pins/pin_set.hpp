// Noted pins: what a sender remembers of a host or a domain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "pins/advert.hpp"

namespace pinnace::pins {

// How much a note is worth (pinning-protocol, "Basis").
enum class Basis : std::uint8_t { first_use, authenticated, operator_rule };
enum class Stage : std::uint8_t { provisional, enforced };
std::string_view to_string(Basis basis);  // "first-use", "authenticated", "operator"
std::string_view to_string(Stage stage);

struct NotedPin {
  Pin pin;
  base::Time expires{};
  bool operator==(const NotedPin&) const = default;
};

struct PinSet {
  Scope scope = Scope::host;
  std::string name;  // MX host (with ":port" where it is not 25) or recipient domain
  Mode mode = Mode::enforce;
  std::vector<NotedPin> pins;
  Basis basis = Basis::first_use;
  Stage stage = Stage::provisional;
  base::Time noted{};          // when this very set was first seen
  base::Time first_matched{};  // the sessions that matched it
  base::Time last_matched{};
  std::uint32_t matched_sessions = 0;
  std::string noted_from;          // "mx.example.org 192.0.2.1", for people
  std::vector<std::string> hosts;  // MX hosts recorded with a domain's set
  std::string rua;

  base::Time expires() const;  // of the last pin to go
  bool expired(base::Time now) const { return expires() <= now; }
  std::vector<Pin> live_pins(base::Time now) const;
  // Must a connection match it? False for MODE=REPORT and a provisional set: tested, reported.
  bool enforced(base::Time now) const {
    return !expired(now) && stage == Stage::enforced && mode == Mode::enforce;
  }

  std::string key() const;  // in the store: "host/NAME" or "domain/NAME"
  std::string encode() const;
  static base::Result<PinSet> decode(std::string_view record);
  bool operator==(const PinSet&) const = default;
};

// STSEC as remembered: TLS is a must for that host until it expires.
struct StsecRecord {
  std::string host;
  base::Time noted{};
  base::Time expires{};

  bool in_force(base::Time now) const { return now < expires; }
  std::string key() const { return "stsec/" + host; }
  std::string encode() const;
  static base::Result<StsecRecord> decode(std::string_view record);
};

}  // namespace pinnace::pins
