#include "sts/next_step.hpp"

#include <algorithm>

namespace pinnace::sts {
namespace {

using Act = NextStep::Act;
using std::chrono::hours;
using std::chrono::minutes;

bool is_paused(std::optional<base::Time> failed, base::Time now) {
  return failed && now >= *failed && now < *failed + kFetchPause;  // a clock set back ends it
}

std::string why_cached(const TxtSeen& txt, bool paused) {
  switch (txt.kind) {
    case TxtSeen::Kind::record:
      return paused ? "cached; the TXT record has another id, and the last fetch failed" : "";
    case TxtSeen::Kind::none:
      return "cached; the TXT record has gone: " + txt.detail;
    case TxtSeen::Kind::failure:
    case TxtSeen::Kind::bogus:
      break;
  }
  return "cached; the TXT record cannot be looked up: " + txt.detail;
}

bool wants_fetch(Occasion occasion, const Cached& live, const TxtSeen& txt, base::Time now) {
  const bool record = txt.kind == TxtSeen::Kind::record;
  if (record && txt.id != live.id) return true;
  if (occasion == Occasion::check) return record && now - live.fetched >= kFetchPause;
  if (occasion == Occasion::delivery) return false;
  // RFC 8461 10.2: a refresh does not heed the TXT record, which an attacker can suppress. RFC 8461 8.3: a
  // domain that gave its policy up and took the record away is left in peace.
  return txt.kind != TxtSeen::Kind::none || live.policy.mode != Mode::none;
}

base::Time between(base::Time from, base::Milliseconds least, base::Milliseconds most, std::uint64_t random) {
  const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
  return from + least + base::Milliseconds(static_cast<std::int64_t>(random % span));
}

}  // namespace

NextStep next_step(Occasion occasion, const Cached* cached, const TxtSeen& txt,
                   std::optional<base::Time> failed, base::Time now) {
  const bool paused = is_paused(failed, now);
  if (cached && cached->live(now)) {
    const bool wanted = wants_fetch(occasion, *cached, txt, now);
    if (wanted && !paused) return {Act::fetch, false, {}};
    // RFC 8461 3.3: what is in the cache and has not expired holds, whatever the DNS says.
    return {Act::use_cached, wanted, why_cached(txt, wanted)};
  }
  switch (txt.kind) {
    case TxtSeen::Kind::record:
      if (!paused) return {Act::fetch, false, {}};
      return {Act::none, true, "the last fetch failed"};
    case TxtSeen::Kind::none:
      return {Act::none, false, txt.detail};
    case TxtSeen::Kind::failure:
      // RFC 8461 10.2: who can suppress an answer can as well forge that there is no record.
      return {Act::none, false, "the TXT record cannot be looked up: " + txt.detail};
    case TxtSeen::Kind::bogus:
      break;
  }
  return {Act::failure, false, "the TXT record cannot be trusted: " + txt.detail};
}

base::Time refresh_time(base::Time fetched, base::Seconds max_age, std::uint64_t random) {
  const base::Milliseconds life = max_age;
  return between(fetched, std::min<base::Milliseconds>(hours(12), life / 2),
                 std::min<base::Milliseconds>(hours(24), life / 5 * 4), random);
}

base::Time retry_time(base::Time now, base::Time expires, std::uint64_t random) {
  const base::Milliseconds left = std::max(expires - now, base::Milliseconds(0));
  const base::Time at = between(now, std::min<base::Milliseconds>(minutes(30), left / 2),
                                std::min<base::Milliseconds>(hours(1), left / 5 * 4), random);
  return std::max(at, now + kFetchPause);
}

}  // namespace pinnace::sts
