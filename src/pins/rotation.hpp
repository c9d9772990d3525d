// How keys are changed so that no sender meets one that it was not told of (pinning-protocol 8.2): make the
// next backup and promise it, let the old backup go live, keep the old key until nobody could need it. Pure:
// what keys there are, the ledger and the time come in; the next step and the dates of the later ones come
// out.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pins/ledger.hpp"

namespace pinnace::pins {

struct Key {
  std::string name;
  std::string algorithm;  // keys of one are changed for each other: "ecdsa", "rsa"
  Pin pin;
  base::Time made{};
  bool live = false;         // the certificate that is served has it
  bool retired = false;      // was live, and is promised no more
  bool at_hand = true;       // its private part is here: not kept elsewhere
  bool certificate = false;  // there is one for it, ready to be served
};

struct RotationStep {
  enum class Act { make_backup, make_next, load, bring, certify, swap, destroy };
  Act act;
  std::string key;    // which; of make_backup and make_next the algorithm
  base::Time when{};  // not before
  std::string why;    // for people: what it is good for, or what it waits for
};
std::string_view to_string(RotationStep::Act act);  // "make_backup"

// The steps that lie ahead for one algorithm, the nearest first. Those of people (load, bring, certify,
// destroy) and those of `rotate` itself. `tlsa_ttl`: of the records that name the keys (RFC 7671 8.1): a new
// one stands beside the old for two of them before it is used.
std::vector<RotationStep> rotation(std::span<const Key> keys, const std::string& algorithm,
                                   const Ledger& ledger, base::Seconds tlsa_ttl, base::Time now);

}  // namespace pinnace::pins
