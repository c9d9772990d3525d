#include "delivery/attempts.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "delivery/outcomes.hpp"

namespace pinnace::delivery {

using queue::Outcome;

Attempts::Attempts(Tools& tools, queue::Queue& queue, discovery::Gatherer& gatherer,
                   discovery::PinStore& pins, Destinations& destinations, Limits& limits)
    : tools_(tools),
      queue_(queue),
      gatherer_(gatherer),
      pins_(pins),
      destinations_(destinations),
      limits_(limits),
      targets_(tools.clock, tools.settings, gatherer),
      hosts_(tools.clock, tools.settings, queue.schedule()) {}

namespace {

// RFC 8689 4.2.1: QUIT to a host that will not do, while the next is tried.
io::Task<void> goodbye(std::unique_ptr<Session> session) { co_await session->quit(); }

}  // namespace

// What the DNS says for good is final only if DNSSEC vouches for it, or nothing binds the domain: a
// forged answer may hold the mail of such a domain up, never bounce it (pinning-protocol 5).
Problem Attempts::believed(const discovery::DomainFacts& domain, Problem final_one) const {
  if (domain.hosts->security == dns::Security::secure) return final_one;
  const std::string bound = gatherer_.bound(domain);
  if (bound.empty()) return final_one;
  final_one.permanent = false;
  final_one.policy = true;
  final_one.status = "4.7.5";
  final_one.reason +=
      "; but " + bound + ", and no DNSSEC vouches for that answer: somebody may have forged it";
  return final_one;
}

// What to do where the DNS names no host to try; nothing where it names some.
std::optional<Problem> Attempts::without_hosts(const discovery::DomainFacts& domain) const {
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

// Asks the DNS for a newer MTA-STS policy than what is known; nothing where there is none.
io::Task<std::optional<discovery::DomainFacts>> Attempts::newer_facts(const queue::Work& work,
                                                                      discovery::DomainFacts known) {
  const auto before = known.sts->cached ? known.sts->cached->fetched : base::Time{};
  co_await gatherer_.check_sts_again(work.domain);
  const auto again = co_await gatherer_.domain(work.domain);
  const auto after = again && again->sts->cached ? again->sts->cached->fetched : base::Time{};
  std::optional<discovery::DomainFacts> newer;
  if (again && after != before) newer = *again;
  base::log_info(
      "sts_checked_again",
      {{"id", work.message->id.str()}, {"domain", work.domain}, {"fetched", newer ? "anew" : "nothing new"}});
  co_return newer;
}

io::Task<bool> Attempts::newer_policy(const queue::Work& work) {
  const auto known = co_await targets_.domain(work.domain);
  if (!known) co_return false;
  const auto newer = co_await newer_facts(work, *known);
  co_return newer.has_value();
}

io::Task<std::vector<Outcome>> Attempts::attempt(const queue::Work& work, std::unique_ptr<Session>& session) {
  const auto domain = co_await targets_.domain(work.domain);
  if (!domain) co_return same_for_all(work, permanent("5.1.2", domain.error().detail), "");
  discovery::DomainFacts facts = *domain;
  // Hosts that keep us waiting must not hold a worker for ever.
  Trial trial{.until = io::Steady::now() + tools_.settings.attempt_timeout};
  Tried tried = co_await try_hosts(work, facts, trial, session);
  if (tried.outcomes.empty() && tried.problem.failed_by_sts() && !tried.problem.unanswered) {
    // RFC 8461 5: before the message waits.
    const auto newer = co_await newer_facts(work, facts);
    if (newer) tried = co_await try_hosts(work, *newer, trial, session);
  }
  if (tried.outcomes.empty() && tried.problem.limited) co_return std::vector<Outcome>{};
  if (tried.outcomes.empty()) co_return without_session(work, tried, trial, session != nullptr);
  const bool taken = std::any_of(tried.outcomes.begin(), tried.outcomes.end(),
                                 [](const Outcome& o) { return o.kind == Outcome::Kind::delivered; });
  const bool put_off = std::all_of(tried.outcomes.begin(), tried.outcomes.end(),
                                   [](const Outcome& o) { return o.kind == Outcome::Kind::deferred; });
  if (taken) destinations_.took_a_message(work.destination);
  if (put_off) destinations_.put_off(work.destination);
  co_return tried.outcomes;
}

// No host took the message or refused it. Empty: it is to be given back, and goes with the others.
std::vector<Outcome> Attempts::without_session(const queue::Work& work, const Tried& tried,
                                               const Trial& trial, bool connected) {
  std::vector<Outcome> outcomes = same_for_all(work, tried.problem, tried.host);
  if (trial.sent) destinations_.put_off(work.destination);
  if (trial.sent || tried.problem.permanent || tried.problem.ours) return outcomes;
  const auto not_before = trial.probed ? std::nullopt : trial.host_again;
  const auto then =
      destinations_.unreachable(work.destination, {tried.problem, tried.host, {}, {}}, not_before, connected);
  if (then.others_reach_it && !queue_.expired(*work.message)) return {};
  if (!then.until) return outcomes;
  for (Outcome& o : outcomes) o.not_before = then.until;
  base::log_warning("destination_waits", {{"destination", work.destination},
                                          {"until", base::format_time(*then.until)},
                                          {"status", tried.problem.status},
                                          {"reason", tried.problem.reason}});
  return outcomes;
}

// Each host in order, until one takes the message or may have taken it.
io::Task<Attempts::Tried> Attempts::try_hosts(const queue::Work& work, discovery::DomainFacts domain,
                                              Trial& trial, std::unique_ptr<Session>& session) {
  Tried out;
  if (auto none = without_hosts(domain)) {
    trial.probed = true;
    out.problem = std::move(*none);
    co_return out;
  }
  std::optional<Problem> problem;
  std::optional<Limits::Full> full;  // a host that has no room now
  std::size_t full_host = 0;
  const std::vector<std::string>& hosts = domain.hosts->hosts;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const std::string& host = hosts[i];
    // Another of its preference may have room; one of a lower is for when a host fails (RFC 5321 5.1).
    if (full && !domain.hosts->equal(full_host, i)) break;
    // RFC 5321 5.1: a host of the list that is ourselves, and all behind it, would be a loop.
    if (host == tools_.settings.hostname) break;
    if (problem && io::Steady::now() >= trial.until) break;
    out.host = host;
    auto at = co_await targets_.find(domain, host, work.message);
    if (!at) {
      trial.probed = true;
      Problem p = at.error();
      if (p.permanent && !p.policy) p = believed(domain, std::move(p));
      keep_worse(problem, std::move(p));
      continue;
    }
    Problem session_problem;
    out.outcomes = co_await over_session(work, session, **at, trial, session_problem);
    if (!out.outcomes.empty()) co_return out;
    if (trial.full) {
      if (!full || trial.full->expected < full->expected) full = trial.full;
      full_host = i;
      continue;
    }
    out.host = (*at)->host;
    const bool unanswered = session_problem.unanswered;
    session_problem.decision = (*at)->decision->sentence();
    keep_worse(problem, std::move(session_problem));
    if (unanswered) break;  // that server may have it: another one now could make two of it
  }
  // Who was heard and broke off has had its attempt.
  const bool attempted = problem && (trial.sent || problem->unanswered);
  if (full && !attempted) {
    limits_.wait(work.destination, *full, session ? session->counted() : nullptr);
    destinations_.look_again(work.destination, tools_.clock.now() + kLook);
    out.problem.limited = true;
    co_return out;
  }
  out.problem = std::move(*problem);
  co_return out;
}

io::Task<Attempt<bool>> Attempts::connect(const queue::Work& work, const Target& target, Trial& trial,
                                          std::unique_ptr<Session>& session) {
  std::optional<Problem> problem;
  Limits::Way way{work.destination, work.domain, target.host};
  const Limits::Held counted = limits_.connect(way);
  for (const io::Endpoint& at : target.addresses) {
    if (problem && io::Steady::now() >= trial.until) break;
    if (const auto known = hosts_.known(at.str())) {
      Problem p = temporary(
          "4.4.1", known->reason + " (not tried again before " + base::format_time(known->until) + ")");
      p.unreachable = true;
      keep_worse(problem, std::move(p));
      trial.host_again = std::min(trial.host_again.value_or(known->until), known->until);
      continue;
    }
    trial.probed = true;
    Peer peer{target.host, at, target.protocol, counted};
    auto fresh = std::make_unique<Session>(tools_, target.decision, std::move(peer), work.message->route);
    auto opened = co_await fresh->open();
    report_advert_before_tls(*fresh);
    const bool unreachable = !opened && opened.error().unreachable;
    const bool heard = opened || !(unreachable || opened.error().ours);
    if (unreachable) {
      hosts_.failed(at.str(), opened.error().reason);
    } else if (heard && hosts_.answered(at.str())) {
      destinations_.release_for(target.host);
    }
    if (opened) {
      session = std::move(fresh);
      destinations_.connected(work.destination, true);
      destinations_.answered(work.destination);
      co_await learn_host(tools_, pins_, *session, target.binding);
      co_return true;
    }
    log_refused(work, *fresh, opened.error());
    keep_worse(problem, opened.error());
    if (counted) {
      co_await fresh->quit();  // not two connections at once where they are counted
    } else {
      tools_.loop.spawn(goodbye(std::move(fresh)));
    }
  }
  co_return std::unexpected(*problem);
}

// Empty: the host could not be used, and `problem` says why; or a limit lets nothing through now (`full`).
io::Task<std::vector<Outcome>> Attempts::over_session(const queue::Work& work,
                                                      std::unique_ptr<Session>& session, const Target& target,
                                                      Trial& trial, Problem& problem) {
  const Limits::Way way{work.destination, work.domain, target.host};
  const bool sent_before = trial.sent;
  bool begun = false;
  trial.full.reset();
  for (int round = 0; round < 2; ++round) {
    // Reuse under the same host, the same decision and from the same source only.
    const bool reused = session && session->reusable() && session->alive() &&
                        session->host_name() == target.host &&
                        session->decision().key == target.decision->key &&
                        session->sources() == tools_.settings.sources_of(work.message->route);
    if (!reused) {
      if (session) {
        std::unique_ptr<Session> old = leave(work.destination, session);
        co_await old->quit();
      }
      trial.full = limits_.full(way, Limits::Need::connection);
      if (trial.full) {
        trial.sent = sent_before;
        co_return std::vector<Outcome>{};
      }
      auto opened = co_await connect(work, target, trial, session);
      if (!opened) {
        problem = opened.error();
        co_return std::vector<Outcome>{};
      }
    }
    // Once for a message, also where a kept session turns out to be closed.
    if (!begun) trial.full = limits_.begin(way, session->counted());
    if (trial.full) co_return std::vector<Outcome>{};
    begun = true;
    trial.sent = true;
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
        o.onward = session->capabilities().has("DSN") ? Outcome::Onward::told
                   : session->final_delivery()        ? Outcome::Onward::mailbox
                                                      : Outcome::Onward::untold;
        o.reason = r.positive() ? "accepted" : target.host + " refuses the recipient or the message";
        accepted = accepted || r.positive();
        out.push_back(std::move(o));
      }
      // A host of the operator's teaches nothing of the domain.
      if (accepted && session->decision().mx != policy::MxVouched::route)
        co_await learn_domain(tools_, pins_, *session, work.domain);
      co_return out;
    }
    problem = replies.error();
    // It said nothing to the message, which it does not take by what it offers.
    if (session->reusable()) break;
    leave(work.destination, session).reset();
    // A kept session may have been closed by the server meanwhile: once more with a new one. Never where
    // it may have the message already.
    if (!reused || problem.unanswered) break;
  }
  co_return std::vector<Outcome>{};
}

std::unique_ptr<Session> Attempts::leave(const std::string& destination, std::unique_ptr<Session>& session) {
  if (session) destinations_.connected(destination, false);
  return std::move(session);
}

}  // namespace pinnace::delivery
