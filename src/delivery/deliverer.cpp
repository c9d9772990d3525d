#include "delivery/deliverer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "delivery/bounce.hpp"

namespace pinnace::delivery {

using queue::Outcome;

namespace {

Problem permanent(std::string status, std::string reason) {
  Problem p;
  p.status = std::move(status);
  p.reason = std::move(reason);
  p.permanent = true;
  return p;
}

Problem temporary(std::string status, std::string reason) {
  Problem p;
  p.status = std::move(status);
  p.reason = std::move(reason);
  return p;
}

}  // namespace

Deliverer::Deliverer(Tools tools, queue::Queue& queue, discovery::Routes& routes, discovery::PinStore& pins)
    : tools_(std::move(tools)), queue_(queue), routes_(routes), pins_(pins) {}

void Deliverer::wake(const std::string& domain) {
  if (stopping_) return;
  const auto found = destinations_.find(domain);
  if (found != destinations_.end() && found->second.workers >= tools_.settings.concurrency) return;
  if (workers_ >= tools_.settings.max_connections) {
    if (std::find(waiting_.begin(), waiting_.end(), domain) == waiting_.end()) waiting_.push_back(domain);
    return;
  }
  start(domain);
}

void Deliverer::start(const std::string& domain) {
  ++destinations_[domain].workers;
  ++workers_;
  // Later: the caller may be in the middle of changing the queue.
  tools_.loop.post([this, domain] { tools_.loop.spawn(work(domain)); });
}

io::Task<void> Deliverer::work(std::string domain) {
  std::unique_ptr<Session> session;
  while (!stopping_) {
    auto next = queue_.take(domain);
    if (!next) break;
    bool broken = false;
    queue::Work taken = *next;
    try {
      co_await deliver(std::move(taken), session);
    } catch (const std::exception& e) {
      // A bug or no memory: this message waits for its next attempt, the others go on.
      base::log_error("delivery_broken", {{"id", next->message->id.str()}, {"what", e.what()}});
      broken = true;
    }
    if (broken) {
      session.reset();
      std::vector<Outcome> deferred =
          all(*next, temporary("4.3.0", "an error in this relay; see its log"), "");
      std::optional<queue::OwnMessage> no_dsn;
      const auto recorded = co_await queue_.record(std::move(*next), std::move(deferred), std::move(no_dsn));
      if (!recorded) base::log_error("outcome_not_recorded", {{"detail", recorded.error().detail}});
    }
  }
  // Gone from the count before the goodbye, so that new work does not wait for it.
  --workers_;
  if (const auto found = destinations_.find(domain); --found->second.workers == 0) destinations_.erase(found);
  if (!waiting_.empty()) {
    const std::string other = waiting_.front();
    waiting_.pop_front();
    wake(other);
  }
  if (session) co_await session->quit();
}

std::string Deliverer::binding_name(const std::string& host) const {
  return tools_.settings.port == 25 ? host : fmt::format("{}:{}", host, tools_.settings.port);
}

std::vector<Outcome> Deliverer::all(const queue::Work& work, const Problem& problem,
                                    const std::string& host) const {
  std::vector<Outcome> out;
  for (const std::size_t i : work.recipients) {
    Outcome o;
    o.recipient = i;
    o.kind = problem.permanent ? Outcome::Kind::failed : Outcome::Kind::deferred;
    o.host = host;
    o.status = problem.status;
    o.reason = problem.reason;
    o.policy = problem.decision;
    o.reply = problem.reply;
    out.push_back(std::move(o));
  }
  return out;
}

io::Task<void> Deliverer::deliver(queue::Work work, std::unique_ptr<Session>& session) {
  std::vector<Outcome> outcomes = co_await attempt(work, session);
  // What is deferred past its lifetime is given up now, and said so.
  const bool expired = queue_.expired(*work.message);
  std::vector<Outcome> failed;
  for (Outcome& o : outcomes) {
    if (expired && o.kind == Outcome::Kind::deferred) {
      o.kind = Outcome::Kind::failed;
      // RFC 3463 3.5: the time is over. What a policy held back says that instead.
      if (o.status != "4.7.5") o.status = "4.4.7";
    }
    if (o.kind == Outcome::Kind::failed) failed.push_back(o);
  }
  log_outcomes(work, outcomes, session.get());
  auto dsn = make_bounce(tools_.settings, queue_, *work.message, failed, expired, tools_.clock.now());
  if (!failed.empty() && !dsn) {
    base::log_warning("undeliverable_dropped", {{"id", work.message->id.str()},
                                                {"why", "the null reverse-path gets no DSN (RFC 5321 6.1)"}});
  }
  const std::string id = work.message->id.str();
  const auto recorded = co_await queue_.record(std::move(work), std::move(outcomes), std::move(dsn));
  if (!recorded) base::log_error("outcome_not_recorded", {{"id", id}, {"detail", recorded.error().detail}});
}

namespace {

// The problem that says most of why no host would do: a policy's refusal above all, and
// never a permanent one while another host may still take the message.
void keep_worse(std::optional<Problem>& kept, Problem next) {
  if (!kept) {
    kept = std::move(next);
    return;
  }
  const bool permanent = kept->permanent && next.permanent;
  const bool take_next = !kept->policy && next.policy;
  Problem& main = take_next ? next : *kept;
  const Problem& other = take_next ? *kept : next;
  if (main.permanent && !permanent) {
    main.permanent = false;
    // What one host refused for good, another only put off.
    main.status = main.policy ? "4" + main.status.substr(1) : other.status;
  }
  main.reason += (take_next ? "; before it: " : "; then: ") + other.reason;
  if (take_next) kept = std::move(next);
}

std::optional<io::IpAddress> literal(const std::string& domain) {
  if (!domain.starts_with('[') || !domain.ends_with(']')) return std::nullopt;
  std::string inside = domain.substr(1, domain.size() - 2);
  if (inside.size() > 5 && (inside.starts_with("IPv6:") || inside.starts_with("ipv6:")))
    inside = inside.substr(5);
  const auto address = io::IpAddress::parse(inside);
  return address ? std::optional(*address) : std::nullopt;
}

}  // namespace

// What the DNS says for good is final only if DNSSEC vouches for it, or nothing binds the domain: a
// forged answer may hold the mail of a pinned domain up, never bounce it (pinning-protocol 5).
Problem Deliverer::believed(const std::string& domain, const dns::MailHosts& hosts, Problem final_one) const {
  if (hosts.security == dns::Security::secure) return final_one;
  const auto bound = pins_.find(pins::Scope::domain, domain);
  if (bound && !(*bound && (*bound)->enforced(tools_.clock.now()))) return final_one;
  final_one.permanent = false;
  final_one.policy = true;
  final_one.status = "4.7.5";
  final_one.reason +=
      "; but pins are noted of this domain, and no DNSSEC vouches for that answer: somebody may have "
      "forged it";
  return final_one;
}

io::Task<std::vector<Outcome>> Deliverer::attempt(const queue::Work& work,
                                                  std::unique_ptr<Session>& session) {
  dns::MailHosts hosts;
  if (literal(work.domain)) {
    hosts.kind = dns::MailHosts::Kind::hosts;
    hosts.hosts = {work.domain};
  } else {
    const auto domain = names::Domain::parse(work.domain);
    if (!domain) co_return all(work, permanent("5.1.2", domain.error().detail), "");
    const auto found = co_await routes_.hosts(*domain);
    hosts = *found;
  }
  switch (hosts.kind) {
    case dns::MailHosts::Kind::failure:
      co_return all(work, temporary("4.4.3", hosts.detail), "");
    case dns::MailHosts::Kind::no_domain:
      co_return all(work, believed(work.domain, hosts, permanent("5.1.2", hosts.detail)), "");
    // RFC 7505 4.1
    case dns::MailHosts::Kind::null_mx:
      co_return all(work, believed(work.domain, hosts, permanent("5.1.10", hosts.detail)), "");
    case dns::MailHosts::Kind::hosts:
      break;
  }
  // RFC 5321 5.1: a host of the list that is ourselves, and all behind it, would be a loop.
  const auto self = std::find(hosts.hosts.begin(), hosts.hosts.end(), tools_.settings.hostname);
  hosts.hosts.erase(self, hosts.hosts.end());
  if (hosts.hosts.empty()) {
    const Problem loop = permanent("5.4.6", "the MX of " + work.domain + " is this relay itself");
    co_return all(work, believed(work.domain, hosts, loop), "");
  }
  std::optional<Problem> problem;
  std::string last_host;
  for (const std::string& host : hosts.hosts) {
    last_host = host;
    auto at = co_await target(work, hosts, host);
    if (!at) {
      keep_worse(problem, at.error());
      continue;
    }
    Problem session_problem;
    auto outcomes = co_await over_session(work, session, *at, session_problem);
    if (!outcomes.empty()) co_return outcomes;
    const bool unanswered = session_problem.unanswered;
    session_problem.decision = at->decision.sentence();
    keep_worse(problem, std::move(session_problem));
    if (unanswered) break;  // that server may have it: another one now could make two of it
  }
  co_return all(work, *problem, last_host);
}

// RFC 8689: what the sender demands always counts; what it waives, only where the operator lets it.
policy::Wish Deliverer::wish_of(const queue::Message& message) const {
  if (message.tls_wish == queue::TlsWish::require) return policy::Wish::require;
  const bool waives = message.tls_wish == queue::TlsWish::waive && tools_.settings.honour_tls_required_no;
  return waives ? policy::Wish::waive : policy::Wish::none;
}

// A host's addresses and the decision about it.
io::Task<Attempt<Deliverer::Target>> Deliverer::target(const queue::Work& work, const dns::MailHosts& hosts,
                                                       std::string host) {
  Target out;
  policy::Facts facts;
  out.host = host;
  if (const auto address = literal(host)) {
    out.addresses = {*address};
  } else {
    const auto found = co_await routes_.addresses(host);
    if (found->kind != dns::Addresses::Kind::found) {
      // RFC 5321 5.1: a host without address is passed over; only if the domain itself has none is it final.
      Problem p = found->kind == dns::Addresses::Kind::none && hosts.implicit
                      ? believed(work.domain, hosts, permanent("5.1.2", found->detail))
                      : temporary("4.4.3", found->detail);
      co_return std::unexpected(p);
    }
    out.addresses = found->addresses;
    const auto tlsa = co_await routes_.tlsa(host, tools_.settings.port, found);
    facts.tlsa = tlsa->tlsa;
    for (dane::Tlsa& record : facts.tlsa.records) record.well_formed = tls::well_formed(record);
  }
  out.mx_secure = hosts.security == dns::Security::secure;
  facts.domain = work.domain;
  // An alias of the domain was named by the DNS as any MX host is.
  facts.no_mx = hosts.implicit && host == work.domain;
  facts.bounce = work.message->reverse_path.empty();
  facts.wish = wish_of(*work.message);
  facts.host = binding_name(host);
  facts.host_name = host;
  facts.mx_secure = out.mx_secure;
  facts.now = tools_.clock.now();
  auto host_pins = pins_.find(pins::Scope::host, facts.host);
  auto domain_pins = pins_.find(pins::Scope::domain, work.domain);
  auto stsec = pins_.find_stsec(facts.host);
  for (const auto* error : {host_pins ? nullptr : &host_pins.error(),
                            domain_pins ? nullptr : &domain_pins.error(), stsec ? nullptr : &stsec.error()}) {
    // What cannot be read may forbid this host: never taken for "nothing noted".
    if (error) co_return std::unexpected(temporary("4.3.0", error->detail));
  }
  facts.host_pins = std::move(*host_pins);
  facts.domain_pins = std::move(*domain_pins);
  facts.stsec = std::move(*stsec);
  out.decision = policy::decide(facts);
  if (const policy::Verdict verdict = policy::judge_forbidden(out.decision); !verdict.usable) {
    Problem p = verdict.permanent ? permanent(verdict.status, verdict.sentence)
                                  : temporary(verdict.status, verdict.sentence);
    p.policy = true;
    p.failure = verdict.failure;
    p.decision = out.decision.sentence();
    co_return std::unexpected(p);
  }
  co_return out;
}

io::Task<Attempt<bool>> Deliverer::connect(const queue::Work& work, const Target& target,
                                           std::unique_ptr<Session>& session) {
  std::optional<Problem> problem;
  for (const io::IpAddress& address : target.addresses) {
    auto fresh = std::make_unique<Session>(tools_, target.decision, target.host, address);
    auto opened = co_await fresh->open();
    if (opened) {
      session = std::move(fresh);
      co_await learn_host(tools_, pins_, *session, binding_name(target.host));
      co_return true;
    }
    log_refused(work, *fresh, opened.error());
    keep_worse(problem, opened.error());
  }
  co_return std::unexpected(*problem);
}

// Empty: the host could not be used, and `problem` says why.
io::Task<std::vector<Outcome>> Deliverer::over_session(const queue::Work& work,
                                                       std::unique_ptr<Session>& session,
                                                       const Target& target, Problem& problem) {
  for (int round = 0; round < 2; ++round) {
    // Reuse under the same host and the same decision only.
    const bool reused = session && session->reusable() && session->host_name() == target.host &&
                        session->decision().key() == target.decision.key();
    if (!reused) {
      if (session) {
        std::unique_ptr<Session> old = std::move(session);
        co_await old->quit();
      }
      auto opened = co_await connect(work, target, session);
      if (!opened) {
        problem = opened.error();
        co_return std::vector<Outcome>{};
      }
    }
    auto replies = co_await session->send(queue_, work);
    if (replies) {
      std::vector<Outcome> out;
      bool accepted = false;
      // A message to one recipient is gone once it is delivered, and what was demanded with it.
      const bool kept = work.message->recipients.size() > 1 || !replies->front().positive();
      const std::string policy = kept ? target.decision.sentence() : std::string();
      for (std::size_t i = 0; i < replies->size(); ++i) {
        const smtp::Reply& r = (*replies)[i];
        Outcome o;
        o.recipient = work.recipients[i];
        o.kind = r.positive()    ? Outcome::Kind::delivered
                 : r.permanent() ? Outcome::Kind::failed
                                 : Outcome::Kind::deferred;
        o.host = target.host;
        o.status = r.enhanced();
        if (o.status.empty()) o.status = r.positive() ? "2.0.0" : r.permanent() ? "5.0.0" : "4.0.0";
        o.reply = r.text();
        o.policy = policy;
        o.reason = r.positive() ? "accepted" : target.host + " refuses the recipient or the message";
        accepted = accepted || r.positive();
        out.push_back(std::move(o));
      }
      if (accepted) co_await learn_domain(tools_, pins_, *session, work.domain, target.mx_secure);
      co_return out;
    }
    problem = replies.error();
    session.reset();
    // A kept session may have been closed by the server meanwhile: once more with a new one. Never where
    // it may have the message already.
    if (!reused || problem.unanswered) break;
  }
  co_return std::vector<Outcome>{};
}

namespace {

using Fields = std::vector<base::Field>;

// What every line about an attempt says of it.
void add_connection(Fields& fields, const std::string& host, const Session* session) {
  fields.push_back({"host", host});
  fields.push_back({"address", session ? session->address().str() : "-"});
  fields.push_back({"tls", session ? session->tls_text() : "none"});
  fields.push_back({"verified_by", session ? session->verified_by() : "-"});
  fields.push_back({"policy", session ? session->decision().summary() : "-"});
  // RFC 7672 2.2.1: what authenticates a host that unsigned DNS named is not called more than that.
  fields.push_back({"mx", session && session->decision().mx_secure ? "secure" : "insecure"});
}

}  // namespace

// An address that could not be used, before the next one is tried.
void Deliverer::log_refused(const queue::Work& work, const Session& session, const Problem& problem) const {
  Fields fields = {{"id", work.message->id.str()}, {"domain", work.domain}};
  add_connection(fields, session.host_name(), &session);
  fields.push_back({"status", problem.status});
  fields.push_back({"reason", problem.reason});
  fields.push_back({"reply", problem.reply});
  base::log(base::Level::warning, "attempt_failed", fields);
}

void Deliverer::log_outcomes(const queue::Work& work, const std::vector<Outcome>& outcomes,
                             const Session* session) const {
  for (const Outcome& o : outcomes) {
    const std::string_view event = o.kind == Outcome::Kind::delivered  ? "delivered"
                                   : o.kind == Outcome::Kind::deferred ? "deferred"
                                                                       : "failed";
    const base::Level level = o.kind == Outcome::Kind::delivered ? base::Level::info : base::Level::warning;
    const bool connected = session && session->host_name() == o.host;
    Fields fields = {{"id", work.message->id.str()},
                     {"to", work.message->recipients[o.recipient].address},
                     {"domain", work.domain}};
    add_connection(fields, o.host, connected ? session : nullptr);
    fields.push_back({"status", o.status});
    fields.push_back({"reason", o.reason});
    fields.push_back({"reply", o.reply});
    base::log(level, event, fields);
  }
}

}  // namespace pinnace::delivery
