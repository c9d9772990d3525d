#include "pins/rotation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace pinnace::pins {
namespace {

using Act = RotationStep::Act;

// One algorithm's keys by what they are for.
struct Parts {
  const Key* live = nullptr;
  const Key* retired = nullptr;    // the newest
  std::vector<const Key*> spares;  // backups, the oldest first
};

Parts parts_of(std::span<const Key> keys, const std::string& algorithm) {
  Parts out;
  for (const Key& key : keys) {
    if (key.algorithm != algorithm) continue;
    if (key.live) {
      out.live = &key;
    } else if (!key.retired) {
      out.spares.push_back(&key);
    } else if (!out.retired || out.retired->made < key.made) {
      out.retired = &key;
    }
  }
  std::sort(out.spares.begin(), out.spares.end(), [](const Key* a, const Key* b) {
    return std::tie(a->made, a->name) < std::tie(b->made, b->name);
  });
  return out;
}

// From when on the backup may be served; nothing: it is not promised yet, so no date can be told.
std::optional<base::Time> ready(const Key& backup, const Ledger& ledger, base::Seconds tlsa_ttl,
                                base::Time now, std::string& why) {
  const auto since = ledger.promised_since(backup.pin, now);
  if (!since) return std::nullopt;
  base::Time when = now;
  const std::vector<Vouchers> alone = {{backup.pin}};
  if (const auto obstacle = ledger.obstacle(alone, now)) {
    when = obstacle->until;
    why = fmt::format("{} promise{} without it until {}", obstacle->promises,
                      obstacle->promises == 1 ? "" : "s", base::format_time(when));
  }
  if (const base::Time published = *since + 2 * tlsa_ttl; when < published) {
    when = published;
    why = fmt::format("its TLSA record stands beside the old one for two TTLs, until {}",
                      base::format_time(published));
  }
  if (why.empty()) why = "every promise that is outstanding holds it";
  return when;
}

}  // namespace

std::string_view to_string(Act act) {
  switch (act) {
    case Act::make_backup:
      return "make_backup";
    case Act::make_next:
      return "make_next";
    case Act::load:
      return "load";
    case Act::bring:
      return "bring";
    case Act::certify:
      return "certify";
    case Act::swap:
      return "swap";
    case Act::destroy:
      break;
  }
  return "destroy";
}

std::vector<RotationStep> rotation(std::span<const Key> keys, const std::string& algorithm,
                                   const Ledger& ledger, base::Seconds tlsa_ttl, base::Time now) {
  std::vector<RotationStep> out;
  const Parts parts = parts_of(keys, algorithm);
  if (!parts.live) return out;
  if (parts.spares.empty()) {
    out.push_back({Act::make_backup, algorithm, now, "nothing may be promised without a backup"});
    return out;
  }
  // The last change is not over while its old key is kept.
  if (parts.retired) {
    std::vector<Pin> kept = {parts.live->pin};
    for (const Key* spare : parts.spares) kept.push_back(spare->pin);
    const base::Time when = ledger.thin_until(kept, now);
    out.push_back({Act::destroy, parts.retired->name, when,
                   when > now ? "until then a promise holds it, and only one of the keys that you keep"
                              : "every promise that is outstanding holds two of the keys that you keep"});
    return out;
  }
  if (parts.spares.size() == 1) {
    out.push_back({Act::make_next, algorithm, now, "a backup must be left when the present one goes live"});
  }
  const Key& backup = *parts.spares.front();
  std::string why;
  const auto when = ready(backup, ledger, tlsa_ttl, now, why);
  if (!when) {
    out.push_back({Act::load, backup.name, now, "the gate does not promise it yet: pinnace gate reload"});
    return out;
  }
  if (!backup.at_hand)
    out.push_back({Act::bring, backup.name, now, "its private key is kept elsewhere, and is needed here"});
  if (!backup.certificate) out.push_back({Act::certify, backup.name, now, "it needs a certificate"});
  out.push_back({Act::swap, backup.name, *when, why});
  return out;
}

}  // namespace pinnace::pins
