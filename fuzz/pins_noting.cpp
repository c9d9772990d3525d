// Any history of sessions: what is noted keeps the rules whatever came before.
#include <cstdint>
#include <cstdlib>

#include "pins/noting.hpp"

using namespace pinnace;
using namespace pinnace::pins;

namespace {

struct Bytes {
  const std::uint8_t* data;
  std::size_t left;
  std::uint8_t next() { return left == 0 ? 0 : (--left, *data++); }
};

Pin pin(std::uint8_t n) {
  Pin p;
  p.sha256[0] = n % 8;
  return p;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes in{data, size};
  const NotingSettings settings;
  base::Time now{base::Seconds(1'700'000'000)};
  std::optional<PinSet> set;
  while (in.left > 0) {
    now += std::chrono::minutes(in.next());
    Advert advert;
    const std::uint8_t pins = in.next() % 4;
    for (int i = 0; i < pins; ++i) advert.pins.push_back({pin(in.next()), std::nullopt});
    advert.max_age = base::Seconds(in.next() * 100'000);
    const std::uint8_t flags = in.next();
    Session session;
    session.tls_complete = flags & 1;
    session.clean_start = flags & 2;
    session.authenticated = flags & 8;
    session.chain = {pin(in.next()), pin(in.next())};
    for (const auto& p : advert.pins) {
      if (p.pin == session.chain[0]) session.matching.push_back(p.pin);
    }
    if (set) {
      for (const Pin& p : set->live_pins(now)) session.existing_matches |= p == session.chain[0];
    }
    const auto offered = flags & 16 ? std::optional(advert) : std::nullopt;
    const Noted noted = note(settings, {Scope::host, "mx.test"}, set, offered, session, now);
    const bool live = set && !set->expired(now);
    if (noted.change == Noted::Change::store) {
      const PinSet& s = *noted.set;
      if (!session.tls_complete || !session.clean_start || session.matching.empty()) std::abort();
      if (live && !session.existing_matches) std::abort();
      if (s.expires() > now + settings.max_age_limit) std::abort();
      bool backup = false;
      for (const NotedPin& p : s.pins) backup |= p.pin != session.chain[0] && p.pin != session.chain[1];
      if (!backup) std::abort();
      const bool earned = session.authenticated || (live && set->stage == Stage::enforced) ||
                          (live && set->basis != Basis::first_use) ||
                          (s.matched_sessions >= 3 && now - s.first_matched >= std::chrono::hours(24));
      if (s.stage == Stage::enforced && !earned) std::abort();
      if (PinSet::decode(s.encode()) != s) std::abort();
      set = s;
    } else if (noted.change == Noted::Change::erase) {
      if (live && set->stage == Stage::enforced && !session.existing_matches) std::abort();
      set.reset();
    }
  }
  return 0;
}
