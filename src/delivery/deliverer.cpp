#include "delivery/deliverer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "delivery/bounce.hpp"

namespace pinnace::delivery {

using queue::Outcome;

Deliverer::Deliverer(Tools tools, queue::Queue& queue, discovery::Gatherer& gatherer,
                     discovery::PinStore& pins)
    : tools_(std::move(tools)),
      queue_(queue),
      gatherer_(gatherer),
      pins_(pins),
      targets_(tools_.clock, tools_.settings, gatherer) {}

void Deliverer::wake(const std::string& destination) {
  if (stopping_) return;
  const auto found = destinations_.find(destination);
  if (found != destinations_.end() && found->second.workers >= tools_.settings.concurrency) return;
  if (workers_ >= tools_.settings.max_connections) {
    if (std::find(waiting_.begin(), waiting_.end(), destination) == waiting_.end())
      waiting_.push_back(destination);
    return;
  }
  start(destination);
}

void Deliverer::start(const std::string& destination) {
  ++destinations_[destination].workers;
  ++workers_;
  // Later: the caller may be in the middle of changing the queue.
  tools_.loop.post([this, destination] { tools_.loop.spawn(work(destination)); });
}

io::Task<void> Deliverer::work(std::string destination) {
  std::unique_ptr<Session> session;
  while (!stopping_) {
    auto next = queue_.take(destination);
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
  if (const auto found = destinations_.find(destination); --found->second.workers == 0)
    destinations_.erase(found);
  if (!waiting_.empty()) {
    const std::string other = waiting_.front();
    waiting_.pop_front();
    wake(other);
  }
  if (session) co_await session->quit();
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
  for (Outcome& o : outcomes) {
    if (!expired || o.kind != Outcome::Kind::deferred) continue;
    o.kind = Outcome::Kind::failed;
    // RFC 3463 3.5: the time is over. What a policy held back says that instead.
    if (o.status != "4.7.5") o.status = "4.4.7";
  }
  auto dsn = make_notice(tools_.settings, queue_, *work.message, outcomes, expired, tools_.clock.now());
  const auto recorded = co_await queue_.record(work, outcomes, std::move(dsn));
  // `delivered` in the log is so for good: not before it is durable.
  if (recorded) {
    log_outcomes(work, outcomes, session.get());
  } else {
    base::log_error("outcome_not_recorded",
                    {{"id", work.message->id.str()}, {"detail", recorded.error().detail}});
  }
}

// What the DNS says for good is final only if DNSSEC vouches for it, or nothing binds the domain: a
// forged answer may hold the mail of such a domain up, never bounce it (pinning-protocol 5).
Problem Deliverer::believed(const discovery::DomainFacts& domain, Problem final_one) const {
  if (domain.hosts->security == dns::Security::secure) return final_one;
  const auto pinned = pins_.find(pins::Scope::domain, domain.domain);
  const auto rule = gatherer_.rules()->for_domain(domain.domain);
  std::string bound;
  if (!pinned || (*pinned && (*pinned)->enforced(tools_.clock.now()))) {
    bound = "pins are noted of this domain";
  } else if (domain.sts->kind == discovery::StsFound::Kind::failure ||
             (domain.sts->cached && domain.sts->cached->policy.mode == sts::Mode::enforce)) {
    bound = "this domain has an MTA-STS policy";
  } else if (rule && rule->binds()) {
    bound = "there is " + rule->str();
  }
  if (bound.empty()) return final_one;
  final_one.permanent = false;
  final_one.policy = true;
  final_one.status = "4.7.5";
  final_one.reason +=
      "; but " + bound + ", and no DNSSEC vouches for that answer: somebody may have forged it";
  return final_one;
}

// What to do where the DNS names no host to try; nothing where it names some.
std::optional<Problem> Deliverer::without_hosts(const discovery::DomainFacts& domain) const {
  const dns::MailHosts& hosts = *domain.hosts;
  switch (hosts.kind) {
    case dns::MailHosts::Kind::failure:
      return temporary("4.4.3", hosts.detail);
    case dns::MailHosts::Kind::no_domain:
      return believed(domain, permanent("5.1.2", hosts.detail));
    // RFC 7505 4.1
    case dns::MailHosts::Kind::null_mx:
      return believed(domain, permanent("5.1.10", hosts.detail));
    case dns::MailHosts::Kind::hosts:
      break;
  }
  if (hosts.hosts.front() != tools_.settings.hostname) return std::nullopt;
  return believed(domain, permanent("5.4.6", "the MX of " + domain.domain + " is this relay itself"));
}

io::Task<std::vector<Outcome>> Deliverer::attempt(const queue::Work& work,
                                                  std::unique_ptr<Session>& session) {
  const auto domain = co_await targets_.domain(work.domain);
  if (!domain) co_return all(work, permanent("5.1.2", domain.error().detail), "");
  discovery::DomainFacts facts = *domain;
  // Hosts that keep us waiting must not hold a worker for ever.
  const auto until = io::Steady::now() + tools_.settings.attempt_timeout;
  Tried tried = co_await try_hosts(work, facts, until, session);
  const auto& failed = tried.problem.failed;
  const bool by_sts = std::any_of(failed.begin(), failed.end(), [](policy::Source s) {
    return s == policy::Source::sts || s == policy::Source::sts_pins;
  });
  if (tried.outcomes.empty() && by_sts && !tried.problem.unanswered) {
    // RFC 8461 5: before the message waits, and so before it is ever given up.
    const auto before = facts.sts->cached ? facts.sts->cached->fetched : base::Time{};
    co_await gatherer_.check_sts_again(work.domain);
    const auto again = co_await gatherer_.domain(work.domain);
    const auto after = again && again->sts->cached ? again->sts->cached->fetched : base::Time{};
    const bool another = again && after != before;
    base::log_info("sts_checked_again", {{"id", work.message->id.str()},
                                         {"domain", work.domain},
                                         {"fetched", another ? "anew" : "nothing new"}});
    if (another) {
      facts = *again;
      tried = co_await try_hosts(work, facts, until, session);
    }
  }
  if (!tried.outcomes.empty()) co_return tried.outcomes;
  co_return all(work, tried.problem, tried.host);
}

// Each host in order, until one takes the message or may have taken it.
io::Task<Deliverer::Tried> Deliverer::try_hosts(const queue::Work& work, discovery::DomainFacts domain,
                                                io::Steady::time_point until,
                                                std::unique_ptr<Session>& session) {
  Tried out;
  if (auto none = without_hosts(domain)) {
    out.problem = std::move(*none);
    co_return out;
  }
  std::optional<Problem> problem;
  for (const std::string& host : domain.hosts->hosts) {
    // RFC 5321 5.1: a host of the list that is ourselves, and all behind it, would be a loop.
    if (host == tools_.settings.hostname) break;
    if (problem && io::Steady::now() >= until) break;
    out.host = host;
    auto at = co_await targets_.find(domain, host, work.message);
    if (!at) {
      Problem p = at.error();
      if (p.permanent && !p.policy) p = believed(domain, std::move(p));
      keep_worse(problem, std::move(p));
      continue;
    }
    Problem session_problem;
    out.outcomes = co_await over_session(work, session, **at, until, session_problem);
    if (!out.outcomes.empty()) co_return out;
    const bool unanswered = session_problem.unanswered;
    session_problem.decision = (*at)->decision->sentence();
    keep_worse(problem, std::move(session_problem));
    if (unanswered) break;  // that server may have it: another one now could make two of it
  }
  out.problem = std::move(*problem);
  co_return out;
}

namespace {

// RFC 8689 4.2.1: QUIT to a host that will not do, while the next is tried.
io::Task<void> goodbye(std::unique_ptr<Session> session) { co_await session->quit(); }

}  // namespace

io::Task<Attempt<bool>> Deliverer::connect(const queue::Work& work, const Target& target,
                                           io::Steady::time_point until, std::unique_ptr<Session>& session) {
  std::optional<Problem> problem;
  for (const io::IpAddress& address : target.addresses) {
    if (problem && io::Steady::now() >= until) break;
    auto fresh =
        std::make_unique<Session>(tools_, target.decision, target.host, address, work.message->route);
    auto opened = co_await fresh->open();
    report_advert_before_tls(*fresh);
    if (opened) {
      session = std::move(fresh);
      co_await learn_host(tools_, pins_, *session, gatherer_.binding_name(target.host));
      co_return true;
    }
    log_refused(work, *fresh, opened.error());
    keep_worse(problem, opened.error());
    tools_.loop.spawn(goodbye(std::move(fresh)));
  }
  co_return std::unexpected(*problem);
}

// Empty: the host could not be used, and `problem` says why.
io::Task<std::vector<Outcome>> Deliverer::over_session(const queue::Work& work,
                                                       std::unique_ptr<Session>& session,
                                                       const Target& target, io::Steady::time_point until,
                                                       Problem& problem) {
  for (int round = 0; round < 2; ++round) {
    // Reuse under the same host, the same decision and from the same source only.
    const bool reused = session && session->reusable() && session->host_name() == target.host &&
                        session->decision().key == target.decision->key &&
                        session->sources() == tools_.settings.sources_of(work.message->route);
    if (!reused) {
      if (session) {
        std::unique_ptr<Session> old = std::move(session);
        co_await old->quit();
      }
      auto opened = co_await connect(work, target, until, session);
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
      const std::string policy = kept ? target.decision->sentence() : std::string();
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
        o.onward = session->capabilities().has("DSN") ? Outcome::Onward::told : Outcome::Onward::untold;
        o.reason = r.positive() ? "accepted" : target.host + " refuses the recipient or the message";
        accepted = accepted || r.positive();
        out.push_back(std::move(o));
      }
      if (accepted) co_await learn_domain(tools_, pins_, *session, work.domain);
      co_return out;
    }
    problem = replies.error();
    // It said nothing to the message, which it does not take by what it offers.
    if (session->reusable()) break;
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
  fields.push_back({"mx", std::string(to_string(session ? session->decision().mx : policy::MxVouched::no))});
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
    if (o.kind != Outcome::Kind::failed || to_tell(tools_.settings, *work.message, o, tools_.clock.now()))
      continue;
    const bool null = work.message->reverse_path.empty();
    base::log_warning("undeliverable_dropped",
                      {{"id", work.message->id.str()},
                       {"to", work.message->recipients[o.recipient].address},
                       {"why", null ? "the null reverse-path gets no DSN (RFC 5321 6.1)"
                                    : "the sender asked for no notice of failure (RFC 3461 4.1)"}});
  }
}

}  // namespace pinnace::delivery
