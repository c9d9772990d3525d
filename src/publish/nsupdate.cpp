#include "publish/nsupdate.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::publish {
namespace {

std::string update(const Record& record, base::Seconds ttl) {
  return fmt::format("update add {}\n", zone_line(record, ttl));
}

}  // namespace

std::string nsupdate(std::span<const Record> records, base::Seconds ttl, Step step, base::Time now) {
  std::string out =
      step == Step::add
          ? fmt::format(
                "; Step 1 of 2: all that is new. Step 2 (--step remove) takes away TLSA "
                "records of keys no longer\n; ours: not before {}, two TTLs from now; later "
                "where the records in the DNS had a longer TTL.\n",
                base::format_time(now + 2 * ttl))
          : "; Step 2 of 2: takes away what is no longer ours. Not within two TTLs of step 1.\n";
  for (std::size_t i = 0; i < records.size();) {
    const Record& first = records[i];
    const bool tlsa = first.type == Record::Type::tlsa;
    const auto end = std::find_if(records.begin() + static_cast<std::ptrdiff_t>(i), records.end(),
                                  [&first](const Record& r) { return r.owner != first.owner; });
    const auto count = static_cast<std::size_t>(end - records.begin()) - i;
    const bool replaces = tlsa == (step == Step::remove);
    if (tlsa || step == Step::add) {
      // RFC 8461 3.1: who reads the record fetches the policy.
      if (first.text.starts_with("v=STSv1")) out += "; Once its policy is served ('pinnace publish sts'):\n";
      // In one update that takes all away and adds the right ones, there is no moment without them
      // (RFC 2136 3.7: all or nothing).
      if (replaces) out += fmt::format("update delete {}. IN {}\n", first.owner, to_string(first.type));
      for (const Record& r : records.subspan(i, count)) out += update(r, ttl);
      out += "send\n";
    }
    i += count;
  }
  return out;
}

}  // namespace pinnace::publish
