#include "delivery/probe.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "delivery/learning.hpp"
#include "pins/noting.hpp"

namespace pinnace::delivery {
namespace {

// Everything is tested and nothing demanded, so that the session shows how each requirement fares.
std::shared_ptr<const policy::Decision> tested(policy::Decision decision) {
  decision.tls_required = decision.tls_never = false;
  for (policy::Requirement& r : decision.requirements) r.enforced = false;
  return std::make_shared<const policy::Decision>(std::move(decision));
}

LeafSeen see_leaf(const Tools& tools, const Session& session, base::Time now) {
  const tls::PeerChain& chain = session.handshake().chain;
  LeafSeen out;
  out.subject = chain.subject();
  out.issuer = chain.issuer();
  out.dns_names = chain.dns_names();
  out.not_after = chain.not_after();
  const auto keys = chain.pins();
  if (!keys.empty()) {
    for (const std::uint8_t octet : keys.front().sha256) out.key_sha256 += fmt::format("{:02x}", octet);
  }
  out.names_host = tls::name_matches(out.dns_names, session.host_name());
  out.webpki_problem = tls::webpki_problem(chain, session.host_name(), tools.roots, now);
  return out;
}

std::vector<TlsaSeen> see_tlsa(const Session& session, const std::vector<dane::Tlsa>& records,
                               base::Time now) {
  std::vector<std::string> names;
  for (const policy::Requirement& r : session.decision().requirements) {
    if (r.demand == policy::Demand::dane) names = r.names;
  }
  const std::vector<dane::Tlsa> usable = dane::usable(records);
  std::vector<TlsaSeen> out;
  for (const dane::Tlsa& record : records) {
    TlsaSeen seen{record, dane::why_unusable(record), false};
    if (seen.unusable.empty() && std::find(usable.begin(), usable.end(), record) == usable.end())
      seen.unusable = "RFC 7671 9: a stronger digest stands beside it";
    seen.matches =
        seen.unusable.empty() && tls::match_tlsa(session.handshake().chain, {record}, names, now).ok;
    out.push_back(std::move(seen));
  }
  return out;
}

std::optional<PinsSeen> see_pins(const Tools& tools, const Session& session, base::Time now) {
  const auto lines = session.capabilities().parameters("PKP");
  if (lines.empty()) return std::nullopt;
  pins::ParsedAdvert parsed = pins::parse_advert(lines);
  PinsSeen out{std::move(parsed.advert), std::move(parsed.problems), {}, false};
  if (!out.advert) return out;
  std::vector<pins::Pin> pins;
  for (const auto& p : out.advert->pins) pins.push_back(p.pin);
  const std::vector<std::string> names = {session.host_name()};
  pins::Session facts;
  facts.tls_complete = facts.clean_start = true;  // or the session would have ended
  facts.chain = session.handshake().chain.pins();
  facts.matching = tls::matching_pins(session.handshake().chain, pins, names, &tools.roots, now);
  out.not_noted = pins::reason_not_to_note(*out.advert, facts);
  out.authenticated = session.webpki_valid() || session.dane_valid();
  return out;
}

std::optional<StsecSeen> see_stsec(const Session& session) {
  const auto lines = session.capabilities().parameters("STSEC");
  if (lines.empty()) return std::nullopt;
  if (lines.size() > 1) return StsecSeen{std::nullopt, "there is more than one STSEC line"};
  const auto stsec = pins::parse_stsec(lines.front());
  if (!stsec) return StsecSeen{std::nullopt, stsec.error().detail};
  return StsecSeen{*stsec, {}};
}

void see_inside(const Tools& tools, const Session& session, const dane::HostTlsa& tlsa, Probed& out) {
  const base::Time now = tools.clock.now();
  out.version = session.handshake().version;
  out.cipher = session.handshake().cipher;
  out.chain = session.handshake().chain;
  out.leaf = see_leaf(tools, session, now);
  out.tlsa = see_tlsa(session, tlsa.records, now);
  out.findings = session.findings();
  out.verified_by = session.verified_by();
  out.pins = see_pins(tools, session, now);
  out.stsec = see_stsec(session);
  out.offers_requiretls = session.capabilities().has("REQUIRETLS");
}

// What a delivery under `decision` would make of it.
void judge(const policy::Decision& decision, const Session& session, Probed& out) {
  out.verdict = policy::judge_forbidden(decision);
  if (out.verdict.usable && session.in_tls() && !out.findings.empty()) {
    out.verdict = policy::judge(decision, out.findings, session.presented());
  } else if (out.verdict.usable && !out.no_tls.empty()) {
    out.verdict = policy::judge_without_tls(decision, out.no_tls, out.address.str());
  }
  out.usable = out.unreachable.empty() && out.verdict.usable;
}

io::Task<void> learn(Tools& tools, discovery::PinStore& pins, std::string binding, Session& session,
                     bool usable, const std::optional<PinsSeen>& seen) {
  report_advert_before_tls(session);
  if (!usable || !session.in_tls()) co_return;
  if (seen && seen->advert && seen->advert->scope == pins::Scope::domain) {
    base::log_debug("domain_pins_not_noted",
                    {{"host", session.host_name()}, {"reason", "no message was accepted over this session"}});
  }
  co_await learn_host(tools, pins, session, std::move(binding));
}

}  // namespace

io::Task<Probed> probe(Tools& tools, ProbeOrder order) {
  Probed out;
  out.address = order.address;
  // Each handshake is a full one: a session that is resumed proves no key anew.
  Tools afresh{tools.loop,  tools.clock, tools.settings,           tools.tls,
               tools.roots, nullptr,     tools.client_certificates};
  Peer peer{order.host, {order.address, order.port ? order.port : tools.settings.port, {}}};
  Session session(afresh, tested(order.decision), std::move(peer));
  const auto opened = co_await session.open_once();
  const std::string broken = session.tls_problem();
  out.tls_broken = !broken.empty();
  if (session.in_tls()) {
    see_inside(tools, session, order.tlsa, out);
  } else if (out.tls_broken || opened) {
    out.no_tls = out.tls_broken ? broken : "the server does not offer STARTTLS";
  }
  if (!opened && (!session.handshake_failed() || session.in_tls())) {
    out.unreachable = opened.error().reason;
    out.refused = !opened.error().reply.empty();
  }
  if (session.connected()) {
    for (const char* keyword : {"PKP", "STSEC"}) {
      if (session.plain_capabilities().has(keyword)) out.before_tls.emplace_back(keyword);
    }
  }
  judge(order.decision, session, out);
  if (order.pins) {
    discovery::PinStore& pins = *order.pins;
    co_await learn(tools, pins, order.binding, session, opened && out.usable, out.pins);
  }
  co_await session.quit();
  co_return out;
}

}  // namespace pinnace::delivery
