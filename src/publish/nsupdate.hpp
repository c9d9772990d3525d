// A script for nsupdate (RFC 2136) that brings the DNS to what is to be published. It touches nothing but the
// TLSA records at the hosts' ports and the TXT records at _mta-sts and _smtp._tls.
#pragma once

#include <span>
#include <string>

#include "publish/record.hpp"

namespace pinnace::publish {

// RFC 7671 8.1: the records of a new key are added first, and those of an old one go two TTLs later, so that
// no sender is left with a set that lacks the key which he is shown.
enum class Step : std::uint8_t {
  add,     // TLSA records are added, none goes; TXT records are replaced, since exactly one may be there
  remove,  // the TLSA records that are none of these go
};

// One `send` for each owner: each may be in a zone of its own. `now`: when it is run.
std::string nsupdate(std::span<const Record> records, base::Seconds ttl, Step step, base::Time now);

}  // namespace pinnace::publish
