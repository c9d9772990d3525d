#include "delivery/learning.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace pinnace::delivery {
namespace {

void report(const pins::Noted& noted, const Session& session) {
  for (const pins::Event& e : noted.events) {
    base::log_info(pins::to_string(e.kind),
                   {{"host", session.host_name()}, {"address", session.address()}, {"what", e.sentence}});
  }
}

// The advert of the session's EHLO inside TLS, if it has a valid one.
struct Heard {
  std::optional<pins::Advert> advert;
  bool invalid = false;
};

Heard hear(const Session& session) {
  Heard out;
  if (!session.in_tls()) return out;
  const auto lines = session.capabilities().parameters("PKP");
  if (lines.empty()) return out;
  pins::ParsedAdvert parsed = pins::parse_advert(lines);
  out.invalid = !parsed.advert;
  out.advert = std::move(parsed.advert);
  for (const std::string& problem : parsed.problems) {
    base::log_warning(out.invalid ? "pins_advert_invalid" : "pins_advert_problem",
                      {{"host", session.host_name()}, {"address", session.address()}, {"problem", problem}});
  }
  return out;
}

pins::Session facts(Tools& tools, const Session& session, const Heard& heard,
                    std::span<const std::string> names) {
  pins::Session s;
  s.tls_complete = session.in_tls();
  s.clean_start = session.in_tls();  // smtp::Client ends a session whose buffer was not empty
  s.invalid_advert = heard.invalid;
  s.host = session.host_name();
  s.from = session.address();
  s.chain = session.handshake().chain.pins();
  if (heard.advert) {
    std::vector<pins::Pin> pins;
    for (const auto& p : heard.advert->pins) pins.push_back(p.pin);
    s.matching = tls::matching_pins(session.handshake().chain, pins, names, &tools.roots, tools.clock.now());
  }
  return s;
}

// Does what was noted before match this session? Asked anew: another session may have noted it
// since this one's decision.
bool matches(Tools& tools, const Session& session, const std::optional<pins::PinSet>& existing,
             std::span<const std::string> names) {
  if (!existing) return true;
  const base::Time now = tools.clock.now();
  return tls::match_pins(session.handshake().chain, existing->live_pins(now), names, &tools.roots, now).ok;
}

// May this session teach what its advert says? A resumed one proved no key anew: it confirms nothing, and
// where its advert does not fit the chain that was kept, the next full handshake is to tell.
bool teaches(Session& session, const std::optional<pins::PinSet>& existing, const Heard& heard,
             const pins::Session& s) {
  if (!session.handshake().resumed) return true;
  const bool confirms = existing && existing->stage == pins::Stage::provisional;
  const bool other_key = heard.advert && !heard.advert->withdraws() && s.matching.empty();
  if (!confirms && !other_key && s.existing_matches) return true;
  session.forget_tickets();
  return false;
}

io::Task<void> apply(discovery::PinStore& store, const Session& session, pins::Binding binding,
                     pins::Noted noted) {
  report(noted, session);
  base::Result<> done;
  if (noted.change == pins::Noted::Change::store) {
    done = co_await store.save(*noted.set);
  } else if (noted.change == pins::Noted::Change::erase) {
    pins::PinSet gone;
    gone.scope = binding.scope;
    gone.name = binding.name;
    done = co_await store.erase(gone.key());
  }
  if (!done) {
    base::log_error("pins_not_stored", {{"name", binding.name}, {"detail", done.error().detail}});
  }
}

io::Task<void> learn_stsec(Tools& tools, discovery::PinStore& store, Session& session, std::string host_key) {
  const auto lines = session.capabilities().parameters("STSEC");
  if (lines.empty() || !session.in_tls()) co_return;
  const auto stsec = pins::parse_stsec(lines.front());
  if (!stsec || lines.size() > 1) {
    base::log_warning("stsec_invalid", {{"host", session.host_name()}, {"advert", lines.front()}});
    co_return;
  }
  const auto record = pins::note_stsec(tools.settings.noting, host_key, *stsec, tools.clock.now());
  const auto before = store.find_stsec(host_key);
  if (!record) {
    if (before && *before) {
      const auto gone = co_await store.erase((*before)->key());
      base::log_info("stsec_withdrawn", {{"host", host_key}, {"stored", gone ? "yes" : "no"}});
    }
    co_return;
  }
  // A record that would last about as long is not written anew for each session; a shorter one always is.
  const base::Milliseconds longer =
      before && *before ? record->expires - (*before)->expires : base::Milliseconds(-1);
  if (longer >= base::Milliseconds(0) && longer < std::chrono::hours(1)) co_return;
  const auto saved = co_await store.save(*record);
  if (!saved) base::log_error("stsec_not_stored", {{"host", host_key}, {"detail", saved.error().detail}});
}

}  // namespace

void report_advert_before_tls(const Session& session) {
  if (!session.connected()) return;
  for (const char* keyword : {"PKP", "STSEC"}) {
    if (session.plain_capabilities().has(keyword)) {
      // Nothing of it is used: it is how a forged reply would plant pins.
      base::log_warning(
          "advert_before_tls",
          {{"host", session.host_name()}, {"address", session.address()}, {"keyword", keyword}});
    }
  }
}

io::Task<void> learn_host(Tools& tools, discovery::PinStore& store, Session& session, std::string host_key) {
  const Heard heard = hear(session);
  const auto existing = store.find(pins::Scope::host, host_key);
  if (!existing) {
    base::log_error("pins_unreadable", {{"host", host_key}, {"detail", existing.error().detail}});
    co_return;
  }
  if (session.in_tls() && (heard.advert || *existing)) {
    const std::vector<std::string> names = {session.host_name()};
    pins::Session s = facts(tools, session, heard, names);
    s.existing_matches = matches(tools, session, *existing, names);
    s.authenticated = session.webpki_valid() || session.dane_valid();
    const pins::Binding binding{pins::Scope::host, host_key};
    if (teaches(session, *existing, heard, s)) {
      pins::Noted noted =
          pins::note(tools.settings.noting, binding, *existing, heard.advert, s, tools.clock.now());
      co_await apply(store, session, binding, std::move(noted));
    }
  }
  co_await learn_stsec(tools, store, session, host_key);
}

io::Task<void> learn_domain(Tools& tools, discovery::PinStore& store, Session& session, std::string domain) {
  if (!session.in_tls() || !session.domains_learned().insert(domain).second) co_return;
  Heard heard = hear(session);
  // Only SCOPE=DOMAIN says anything of the domain.
  if (heard.advert && heard.advert->scope != pins::Scope::domain) heard.advert.reset();
  const auto existing = store.find(pins::Scope::domain, domain);
  if (!existing || (!heard.advert && !*existing)) co_return;
  const std::vector<std::string> names = {domain, session.host_name()};
  pins::Session s = facts(tools, session, heard, names);
  std::vector<std::string> right_names = {domain};
  if (*existing) right_names.insert(right_names.end(), (*existing)->hosts.begin(), (*existing)->hosts.end());
  // pinning-protocol 3: a host that DNSSEC or an enforced MTA-STS policy vouches for.
  const policy::MxVouched by = session.decision().mx;
  const bool mx_vouched = by != policy::MxVouched::no && by != policy::MxVouched::rule;
  if (mx_vouched) right_names.push_back(session.host_name());
  s.existing_matches = matches(tools, session, *existing, right_names);
  const bool names_domain =
      tls::webpki_problem(session.handshake().chain, domain, tools.roots, tools.clock.now()).empty();
  const bool host_valid = session.webpki_valid() || session.dane_valid();
  s.authenticated = names_domain || (host_valid && mx_vouched);
  if (!teaches(session, *existing, heard, s)) co_return;
  const pins::Binding binding{pins::Scope::domain, domain};
  pins::Noted noted =
      pins::note(tools.settings.noting, binding, *existing, heard.advert, s, tools.clock.now());
  co_await apply(store, session, binding, std::move(noted));
}

}  // namespace pinnace::delivery
