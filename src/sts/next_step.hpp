// What a sender does next about a domain's policy, from what it has and what the TXT record says
// (RFC 8461 3.3, 5.1, 10.2), and when a policy is fetched again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "sts/cached.hpp"

namespace pinnace::sts {

// A fetch that failed is not repeated sooner (RFC 8461 3.3).
inline constexpr base::Seconds kFetchPause = std::chrono::minutes(5);

// What the DNS says at "_mta-sts".
struct TxtSeen {
  enum class Kind : std::uint8_t {
    record,
    none,     // not one record to the grammar
    failure,  // no answer
    bogus,    // an answer that DNSSEC refutes
  };
  Kind kind = Kind::failure;
  std::string id;      // of a record
  std::string detail;  // for people: why there is no record
};

enum class Occasion : std::uint8_t {
  delivery,
  check,    // a message failed under the policy that is known (RFC 8461 5.1)
  refresh,  // the policy is due
};

struct NextStep {
  enum class Act : std::uint8_t {
    use_cached,
    fetch,
    none,     // as if the domain had no policy
    failure,  // whether it has one cannot be told
  };
  Act act = Act::none;
  bool paused = false;  // it would be fetched, had that not failed so lately
  std::string detail;   // for people: empty with a policy that the TXT record confirms
};

// `cached`: may be null or out of date. `failed`: when the last fetch failed, if none succeeded since.
NextStep next_step(Occasion occasion, const Cached* cached, const TxtSeen& txt,
                   std::optional<base::Time> failed, base::Time now);

// `random`: any number, all alike. A time that an attacker cannot foresee, long before the policy expires:
// half a day to a day after the fetch, or in the second half of a short life.
base::Time refresh_time(base::Time fetched, base::Seconds max_age, std::uint64_t random);
// After a refresh that failed: half an hour to an hour, sooner where the policy ends soon.
base::Time retry_time(base::Time now, base::Time expires, std::uint64_t random);

}  // namespace pinnace::sts
