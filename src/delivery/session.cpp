#include "delivery/session.hpp"

#include <fmt/format.h>

#include "base/log.hpp"

namespace pinnace::delivery {

using Kind = smtp::Client::Kind;

Session::Session(Tools& tools, std::shared_ptr<const policy::Decision> decision, Peer peer, std::string route)
    : tools_(tools),
      decision_(std::move(decision)),
      host_name_(std::move(peer.host)),
      at_(std::move(peer.at)),
      protocol_(peer.protocol),
      counted_(std::move(peer.counted)),
      sources_(tools.settings.sources_of(route)) {}

Problem Session::lost(const base::Error& error) const {
  Problem p;
  const bool unreached =
      error.code == "io.connect" || error.code == "io.source" || error.code == "io.timeout";
  p.status = unreached ? "4.4.1" : "4.4.2";
  p.reason = fmt::format("{}: {}", host_name_, error.detail);
  return p;
}

// The machine's failure in the words of policy: TLS that is missing where it is a must is one.
Problem Session::failed() const {
  using Why = smtp::Client::Failure::Why;
  const smtp::Client::Failure& f = client_->failure();
  Problem p;
  p.status = "4.4.2";
  p.reason = fmt::format("{} ({}): {}", host_name_, address(), f.detail);
  p.unanswered = f.unanswered;
  if (f.reply) {
    p.reply = f.reply->text();
    // Before the TLS that is a must anybody may have said it: it may hold the mail up, never bounce it.
    p.permanent = f.reply->permanent() && (client_->in_tls() || !decision_->tls_required);
    const std::string code = f.reply->enhanced();
    const bool fits = !code.empty() && p.permanent == f.reply->permanent();
    // RFC 7504 6: X.3.2 goes with 521
    const std::string_view other = f.reply->code == 521 ? ".3.2" : ".3.0";
    p.status = fits ? code : (p.permanent ? "5" : "4") + std::string(other);
  }
  const bool no_tls = f.why == Why::no_starttls || f.why == Why::starttls_refused || f.why == Why::injected;
  const bool no_ehlo = f.why == Why::refused && decision_->tls_required && !client_->in_tls() && f.reply &&
                       f.detail.find("HLO") != std::string::npos;
  if (no_tls || no_ehlo) {
    const policy::Verdict v = policy::judge_without_tls(*decision_, f.detail, address());
    p.policy = true;
    p.permanent = v.permanent;
    p.status = v.usable ? "4.7.5" : v.status;
    p.failure = "starttls-not-supported";
    p.failed = v.failed;
    if (!v.usable) p.reason = v.sentence;
  }
  return p;
}

io::Task<Attempt<bool>> Session::open_once() {
  using Tls = smtp::Client::Tls;
  const Tls tls = decision_->tls_required ? Tls::required
                  : decision_->tls_never  ? Tls::none
                                          : Tls::opportunistic;
  auto opened = co_await try_open(tls);
  if (opened || !stale_ticket_) co_return opened;
  // The server may have another certificate since, or not know what to make of the ticket.
  forget_tickets();
  co_return co_await try_open(tls);
}

io::Task<Attempt<bool>> Session::open() {
  auto opened = co_await open_once();
  // Opportunistic TLS (RFC 7435): where nothing demands it, TLS that fails is no worse than none.
  if (!opened && handshake_failure_ && !decision_->tls_required) {
    base::log_warning("tls_failed_sending_without",
                      {{"host", host_name_}, {"address", address()}, {"reason", opened.error().reason}});
    opened = co_await try_open(smtp::Client::Tls::none);
  }
  if (opened && !client_->in_tls()) report(policy::judge_without_tls(*decision_, "no TLS", address()));
  co_return opened;
}

io::Task<Attempt<bool>> Session::try_open(smtp::Client::Tls tls) {
  handshake_failure_.reset();
  handshake_ = {};
  findings_.clear();
  std::optional<io::IpAddress> source;
  for (const io::IpAddress& one : sources_) {
    if (one.is_v4() == at_.address.is_v4()) source = one;
  }
  const auto started = io::Steady::now();
  auto connected = co_await io::connect(tools_.loop, at_, tools_.settings.connect_timeout, source);
  if (!connected) {
    Problem p = lost(connected.error());
    p.ours = connected.error().code == "io.source";
    p.unreachable = !p.ours;
    co_return std::unexpected(p);
  }
  stream_ = std::make_unique<io::Stream>(std::move(*connected));
  stream_->set_idle_timeout(tools_.settings.greeting_timeout);
  // A server that drips its replies ends too.
  stream_->set_deadline(tools_.settings.opening_timeout
                            ? started + *tools_.settings.opening_timeout
                            : io::Steady::now() + 3 * tools_.settings.greeting_timeout);
  client_ = std::make_unique<smtp::Client>(tools_.settings.hostname, tls, protocol_);
  auto end = co_await run();
  if (!end) co_return std::unexpected(end.error());
  stream_->set_idle_timeout(tools_.settings.command_timeout);
  auto offers = check_offers();
  if (!offers) co_return offers;
  opened_ = tools_.clock.now();
  keep_tickets();
  co_return true;
}

bool Session::reusable() const {
  return client_ && client_->reusable() && messages_ < tools_.settings.messages_per_connection && opened_ &&
         tools_.clock.now() - *opened_ < tools_.settings.connection_lifetime;
}

// RFC 8689 4.2.1 step 5: what the EHLO reply inside TLS must have.
Attempt<bool> Session::check_offers() {
  bool missing = false;
  for (std::size_t i = 0; i < findings_.size(); ++i) {
    const bool wanted = decision_->requirements[i].demand == policy::Demand::offers_requiretls;
    if (!wanted || client_->capabilities().has("REQUIRETLS")) continue;
    findings_[i] = {false, "its EHLO reply inside TLS does not have it"};
    missing = true;
  }
  if (!missing) return true;
  return judged();
}

io::Task<Attempt<Kind>> Session::run() {
  char buffer[4096];
  std::string broken;  // how the connection ended, where it did not end well
  for (;;) {
    const smtp::Client::Action action = client_->next();
    switch (action.kind) {
      case Kind::send: {
        auto sent = co_await stream_->write_all(action.bytes);
        if (!sent) co_return std::unexpected(lost(sent.error()));
        break;
      }
      case Kind::read: {
        auto n = co_await stream_->read_some(buffer, sizeof buffer);
        if (n && *n > 0) {
          client_->receive({buffer, *n});
        } else {
          if (!n) broken = n.error().detail;
          client_->peer_closed();
        }
        break;
      }
      case Kind::start_tls: {
        auto done = co_await take_tls();
        if (!done) co_return std::unexpected(done.error());
        break;
      }
      case Kind::failed: {
        Problem p = failed();
        if (!broken.empty()) p.reason += " (" + broken + ")";
        co_return std::unexpected(p);
      }
      default:
        co_return action.kind;
    }
  }
}

io::Task<Attempt<bool>> Session::take_tls() {
  auto hello = this->hello();
  if (!hello) co_return std::unexpected(hello.error());
  const std::optional<tls::KeptTicket> offered = ticket_to_offer();
  if (offered) hello->resume = offered->ticket;
  stale_ticket_ = false;
  auto shaken = co_await tls::start_client(*stream_, tools_.tls, std::move(*hello));
  if (!shaken) {
    stale_ticket_ = offered && shaken.error().code == "tls.handshake";
    co_return std::unexpected(no_handshake(shaken.error()));
  }
  handshake_ = std::move(*shaken);
  proven_ = handshake_.resumed ? offered->proven : tools_.clock.now();
  // RFC 8446 C.4: a ticket is used once. A session of TLS 1.2 is good for more than one.
  if (handshake_.resumed && !offered->ticket.for_one_use())
    handshake_.tickets->arrived.push_back(offered->ticket);
  auto verified = verify();
  stale_ticket_ = handshake_.resumed && !verified;
  if (!verified) co_return std::unexpected(verified.error());
  client_->tls_established();
  co_return true;
}

Attempt<tls::ClientHello> Session::hello() const {
  tls::ClientHello out;
  if (!host_name_.starts_with('[')) out.server_name = decision_->server_name;
  const auto& mine = decision_->client_certificate;
  if (!mine) return out;
  const ClientCertificates none;
  const ClientCertificates& known = tools_.client_certificates ? *tools_.client_certificates : none;
  const auto found = known.find(mine->fingerprint);
  // The rules were read again since the decision: the next attempt has the new one.
  if (found == known.end())
    return std::unexpected(temporary("4.3.0", "the client certificate " + mine->name + " is another by now"));
  out.certificate = found->second;
  return out;
}

Problem Session::no_handshake(const base::Error& error) {
  handshake_failure_ = error.detail;
  Problem p = lost(error);
  const policy::Verdict v = policy::judge_without_tls(*decision_, error.detail, address());
  if (v.usable) return p;
  p.policy = true;
  // A handshake that the network broke off proves nothing for good.
  p.permanent = v.permanent && error.code == "tls.handshake";
  p.status = v.permanent && !p.permanent ? "4.7.10" : v.status;
  p.failure = "validation-failure";
  p.failed = v.failed;
  p.reason = v.sentence;
  return p;
}

// All that two sessions have in common where one is resumed as the other: no policy inherits another's, and
// no server another's secrets.
std::string Session::resumption_key() const {
  const auto& from = tools_.settings.source_address;
  return fmt::format("{} {} {} {} {}", host_name_, address(), at_.port, from ? from->str() : "-",
                     decision_->key);
}

std::optional<tls::KeptTicket> Session::ticket_to_offer() {
  if (!tools_.resumable || stale_ticket_ || !decision_->resumable()) return std::nullopt;
  return tools_.resumable->take(resumption_key(), tools_.clock.now());
}

// Those of a session that satisfied its decision.
void Session::keep_tickets() {
  if (!tools_.resumable || !handshake_.tickets || !decision_->resumable()) return;
  for (tls::Ticket& ticket : handshake_.tickets->arrived)
    tools_.resumable->keep(resumption_key(), {std::move(ticket), proven_}, tools_.clock.now());
  handshake_.tickets->arrived.clear();
}

void Session::forget_tickets() {
  if (tools_.resumable) tools_.resumable->forget(resumption_key());
  if (handshake_.tickets) handshake_.tickets->arrived.clear();
}

// Every requirement against the chain, before the second EHLO.
Attempt<bool> Session::verify() {
  const base::Time now = tools_.clock.now();
  webpki_valid_ = tls::webpki_problem(handshake_.chain, host_name_, tools_.roots, now).empty();
  verified_by_ = webpki_valid_ ? "webpki" : "nothing";
  findings_.clear();
  std::string authenticated;
  for (const policy::Requirement& r : decision_->requirements) {
    std::string by;
    findings_.push_back(find(r, now, by));
    if (findings_.back().met && !by.empty()) authenticated += (authenticated.empty() ? "" : ", ") + by;
  }
  if (!authenticated.empty()) verified_by_ = authenticated;
  return judged();
}

// How the chain fares under one requirement; `by`: what authenticated it, for the log.
policy::Finding Session::find(const policy::Requirement& r, base::Time now, std::string& by) const {
  switch (r.demand) {
    case policy::Demand::pins: {
      const tls::PinMatch m = tls::match_pins(handshake_.chain, r.pins, r.names, &tools_.roots, now);
      if (m.ok) by = std::string(policy::to_string(r.source)) + (m.by_ca ? " (ca)" : " (leaf)");
      return {m.ok, m.reason};
    }
    case policy::Demand::dane: {
      const tls::TlsaMatch m = tls::match_tlsa(handshake_.chain, r.tlsa, r.names, now);
      if (m.matched)
        by = fmt::format("dane ({} {} {})", m.matched->usage, m.matched->selector, m.matched->matching);
      return {m.ok, m.reason};
    }
    case policy::Demand::webpki: {
      std::string why = "no name is known that the certificate should bear";
      for (const std::string& name : r.names) {
        why = tls::webpki_problem(handshake_.chain, name, tools_.roots, now);
        if (why.empty()) break;
      }
      if (why.empty()) by = "webpki";
      return {why.empty(), why};
    }
    case policy::Demand::protocol:
      return {policy::reaches(handshake_.version, r.protocol), handshake_.version + " was negotiated"};
    case policy::Demand::unmet:
      return {false, "nothing can meet it"};
    case policy::Demand::tls:
    case policy::Demand::offers_requiretls:  // known later
      break;
  }
  return {true, ""};
}

std::string Session::tls_text() const {
  if (handshake_.version.empty()) return "none";
  return handshake_.version + "/" + handshake_.cipher + (handshake_.resumed ? "/resumed" : "");
}

bool Session::dane_valid() const {
  for (std::size_t i = 0; i < findings_.size(); ++i) {
    if (decision_->requirements[i].demand == policy::Demand::dane && findings_[i].met) return true;
  }
  return false;
}

std::string Session::tls_problem() const {
  if (in_tls() || !client_) return {};
  if (handshake_failure_) return *handshake_failure_;
  if (client_->failure().why == smtp::Client::Failure::Why::injected) return client_->failure().detail;
  if (const auto& refusal = client_->starttls_refusal())
    return "the server offers STARTTLS and refuses it: " + refusal->text();
  return {};
}

policy::Presented Session::presented() const {
  const auto keys = handshake_.chain.pins();
  return {handshake_.chain.subject(), handshake_.chain.issuer(), keys.empty() ? "none" : keys.front().str(),
          webpki_valid_, address()};
}

// What failed and keeps nothing back: tested, or set aside by a rule or the sender.
void Session::report(const policy::Verdict& verdict) const {
  for (const std::string& what : verdict.reports) {
    base::log_warning("policy_tested_failed", {{"host", host_name_}, {"report", what}});
  }
}

// The verdict on the findings.
Attempt<bool> Session::judged() const {
  const policy::Verdict verdict = policy::judge(*decision_, findings_, presented());
  report(verdict);
  if (verdict.usable) return true;
  return std::unexpected(refused(verdict));
}

io::Task<void> Session::quit() {
  if (!client_ || !stream_) co_return;
  constexpr base::Seconds kGoodbye{5};
  stream_->set_idle_timeout(kGoodbye);
  stream_->set_deadline(io::Steady::now() + kGoodbye);
  if (opened_) keep_tickets();  // some servers send them late
  if (client_->can_quit() && !handshake_failure_) {
    client_->quit();
    const auto end = co_await run();
    (void)end;
  }
  stream_->close();
}

}  // namespace pinnace::delivery
