#include "pins/noting.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::pins {
namespace {

bool contains(const std::vector<Pin>& pins, const Pin& pin) {
  return std::find(pins.begin(), pins.end(), pin) != pins.end();
}

// The same set: the same keys, scope and mode. Lifetimes may differ.
bool same_set(const PinSet& set, const Advert& advert) {
  if (set.mode != advert.mode || set.pins.size() != advert.pins.size()) return false;
  return std::all_of(advert.pins.begin(), advert.pins.end(), [&](const AdvertisedPin& a) {
    return std::any_of(set.pins.begin(), set.pins.end(), [&](const NotedPin& n) { return n.pin == a.pin; });
  });
}

std::vector<NotedPin> noted_pins(const NotingSettings& settings, const Advert& advert, base::Time now) {
  std::vector<NotedPin> out;
  for (const AdvertisedPin& p : advert.pins) {
    out.push_back({p.pin, now + std::min(advert.lifetime(p), settings.max_age_limit)});
  }
  return out;
}

void add_event(Noted& out, Event::Kind kind, std::string sentence) {
  out.events.push_back({kind, std::move(sentence)});
}

Noted not_noted(Noted out, const Binding& binding, std::string why) {
  add_event(out, Event::Kind::not_noted, fmt::format("pins of {} are not noted: {}", binding.name, why));
  out.why_not = std::move(why);
  return out;
}

// The stage that a set has from now on, and its session count.
void advance_stage(PinSet& set, const NotingSettings& settings, const std::optional<PinSet>& before,
                   bool same, bool authenticated, base::Time now) {
  if (same) {
    set.noted = before->noted;
    set.first_matched = before->first_matched;
    set.matched_sessions = before->matched_sessions;
  } else {
    set.noted = set.first_matched = now;
  }
  set.last_matched = now;
  set.matched_sessions += set.matched_sessions < UINT32_MAX ? 1 : 0;
  set.basis = authenticated || (before && before->basis != Basis::first_use) ? Basis::authenticated
                                                                             : Basis::first_use;
  // A session that matched an enforced set speaks for the set that follows it.
  const bool inherited = before && before->stage == Stage::enforced;
  const bool confirmed =
      set.matched_sessions >= settings.confirm_sessions && now - set.first_matched >= settings.confirm_for;
  set.stage =
      inherited || set.basis == Basis::authenticated || settings.policy == Policy::first_use || confirmed
          ? Stage::enforced
          : Stage::provisional;
}

}  // namespace

std::string_view to_string(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::noted:
      return "pins_noted";
    case Event::Kind::replaced:
      return "pins_replaced";
    case Event::Kind::confirmed:
      return "pins_confirmed";
    case Event::Kind::withdrawn:
      return "pins_withdrawn";
    case Event::Kind::dropped:
      return "pins_dropped";
    case Event::Kind::not_advertised:
      return "pins_not_advertised";
    case Event::Kind::not_noted:
      break;
  }
  return "pins_not_noted";
}

std::string reason_not_to_note(const Advert& advert, const Session& session) {
  if (!session.tls_complete || !session.clean_start) return "it did not come inside a complete TLS session";
  if (advert.withdraws()) return {};
  if (session.matching.empty()) return "no advertised pin matches this session's certificates";
  const bool backup = std::any_of(advert.pins.begin(), advert.pins.end(), [&](const AdvertisedPin& p) {
    return !contains(session.chain, p.pin) && !contains(session.matching, p.pin);
  });
  if (!backup) return "there is no backup: every advertised pin is of a key in the chain (RFC 7469 4.3)";
  return {};
}

Noted note(const NotingSettings& settings, const Binding& binding, const std::optional<PinSet>& existing,
           const std::optional<Advert>& advert, const Session& session, base::Time now) {
  Noted out;
  const std::optional<PinSet> before = existing && !existing->expired(now) ? existing : std::nullopt;
  // Condition 4: what was noted before has the first word.
  if (before && !session.existing_matches) {
    if (before->stage == Stage::provisional) {
      out.change = Noted::Change::erase;
      add_event(out, Event::Kind::dropped,
                fmt::format("provisional pins of {} did not match a session with {} ({}) and are dropped",
                            binding.name, session.host, session.from));
    }
    if (!advert) return out;
    return not_noted(std::move(out), binding, "the pins noted before do not match this session");
  }
  if (!advert) {
    if (before && before->basis != Basis::operator_rule && !session.invalid_advert) {
      add_event(out, Event::Kind::not_advertised,
                fmt::format("{} no longer advertises pins; those noted stay until {}", binding.name,
                            base::format_time(before->expires())));
    }
    return out;
  }
  if (before && before->basis == Basis::operator_rule) {
    return not_noted(std::move(out), binding, "the operator set its pins");
  }
  if (settings.policy == Policy::off) return not_noted(std::move(out), binding, "noting is off");
  if (std::string why = reason_not_to_note(*advert, session); !why.empty()) {
    return not_noted(std::move(out), binding, std::move(why));
  }
  if (advert->withdraws()) {
    // Conditions 1 and 4 are met: the one who promised takes it back.
    if (before) {
      out.change = Noted::Change::erase;
      add_event(out, Event::Kind::withdrawn, fmt::format("{} withdraws its pins", binding.name));
    }
    return out;
  }
  if (!before && settings.policy == Policy::authenticated && !session.authenticated) {
    return not_noted(std::move(out), binding, "the session is not authenticated by other means");
  }

  PinSet set;
  set.scope = binding.scope;
  set.name = binding.name;
  set.mode = advert->mode;
  set.pins = noted_pins(settings, *advert, now);
  set.rua = advert->rua;
  set.noted_from = session.host + " " + session.from;
  if (binding.scope == Scope::domain) {
    if (before) set.hosts = before->hosts;
    if (std::find(set.hosts.begin(), set.hosts.end(), session.host) == set.hosts.end()) {
      set.hosts.push_back(session.host);
    }
  }
  const bool same = before && same_set(*before, *advert);
  advance_stage(set, settings, before, same, session.authenticated, now);
  out.change = Noted::Change::store;
  const std::string facts =
      fmt::format("{} pins of {}, {}, {}, until {}", set.pins.size(), binding.name, to_string(set.basis),
                  to_string(set.stage), base::format_time(set.expires()));
  if (!before) {
    add_event(out, Event::Kind::noted, "noted " + facts);
  } else if (!same) {
    add_event(out, Event::Kind::replaced, "replaced: " + facts);
  } else if (before->stage != set.stage) {
    add_event(out, Event::Kind::confirmed, "now enforced: " + facts);
  }
  out.set = std::move(set);
  return out;
}

std::optional<StsecRecord> note_stsec(const NotingSettings& settings, const std::string& host,
                                      const Stsec& stsec, base::Time now) {
  if (stsec.max_age == base::Seconds(0)) return std::nullopt;
  return StsecRecord{host, now, now + std::min(stsec.max_age, settings.stsec_limit)};
}

base::Result<> check_own_advert(const Advert& advert, const std::vector<Pin>& chain) {
  const auto is_pinned = [&](const Pin& key) {
    return std::any_of(advert.pins.begin(), advert.pins.end(),
                       [&](const AdvertisedPin& p) { return p.pin == key; });
  };
  if (std::none_of(chain.begin(), chain.end(), is_pinned)) {
    return base::fail("pins.own_advert",
                      "no advertised pin matches the certificate that is served: senders would "
                      "note nothing, or hold their mail");
  }
  const bool backup = std::any_of(advert.pins.begin(), advert.pins.end(),
                                  [&](const AdvertisedPin& p) { return !contains(chain, p.pin); });
  if (!backup) {
    return base::fail("pins.own_advert",
                      "there is no backup pin: make a second key that is in no certificate of the "
                      "chain, keep it safe, and name it as backup_key");
  }
  return {};
}

}  // namespace pinnace::pins
