// What is noted of a host, as far as it makes decisions.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "discovery/pin_store.hpp"

namespace pinnace::policyd {

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
Noted noted_of(const discovery::PinStore& store, const std::string& host, base::Time now);

}  // namespace pinnace::policyd
