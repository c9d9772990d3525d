#include "delivery/deliverer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "delivery/bounce.hpp"

namespace pinnace::delivery {

using queue::Outcome;

namespace {

// What waits is looked at for notices of delay no more often.
constexpr base::Seconds kLook{60};

}  // namespace

Deliverer::Deliverer(Tools tools, queue::Queue& queue, discovery::Gatherer& gatherer,
                     discovery::PinStore& pins)
    : tools_(std::move(tools)),
      queue_(queue),
      gatherer_(gatherer),
      pins_(pins),
      targets_(tools_.clock, tools_.settings, gatherer),
      destinations_(tools_.clock, tools_.settings, queue.schedule()),
      hosts_(tools_.clock, tools_.settings, queue.schedule()),
      limits_changed_(tools_.loop),
      limits_(tools_.clock, [this] { limits_changed_.cancel(); }),
      rules_(gatherer.rules()),
      timer_(tools_.loop) {
  limits_.set_rules(rules_);
  tools_.loop.spawn(watch_clock());
  tools_.loop.spawn(watch_limits());
}

void Deliverer::wake(const std::string& destination) {
  const auto line = limits_.waits(destination);
  const bool for_rate = line == Limits::Need::message;
  if (stopping_ || (!for_rate && wake_idle(destination))) return;
  if (!destinations_.may_start(destination)) {
    // What comes into the line of one that waits may be past its lifetime before the others.
    if (destinations_.waits(destination)) look_later(destination, tools_.clock.now());
    return;
  }
  if (must_wait(destination, nullptr)) return;
  if (workers_ < tools_.settings.max_connections) return start(destination);
  if (!in_turn_.insert(destination).second) return;
  turns_.push_back(destination);
  // An idle session makes room, for each who waits another.
  const auto idle = std::find_if(idle_.begin(), idle_.end(),
                                 [](const Idle& one) { return !one.must_leave && !one.called; });
  if (idle == idle_.end()) return;
  idle->must_leave = true;
  idle->timer.cancel();
}

void Deliverer::stop() {
  stopping_ = true;
  for (Idle& idle : idle_) idle.timer.cancel();
}

void Deliverer::release(const std::string& destination) {
  hosts_.forget_all();
  destinations_.release(destination);
  wake(destination);
}

void Deliverer::release_all() {
  hosts_.forget_all();
  destinations_.release_all();
}

void Deliverer::start(const std::string& destination) {
  destinations_.started(destination);
  ++workers_;
  // Later: the caller may be in the middle of changing the queue.
  tools_.loop.post([this, destination] { tools_.loop.spawn(work(destination)); });
}

io::Task<void> Deliverer::watch_clock() {
  bool elapsed = true;
  while (elapsed) {
    elapsed = co_await timer_.wait(std::chrono::seconds(1));
    if (stopping_) continue;
    // What other rules make of a host is another matter.
    if (rules_ != gatherer_.rules()) {
      rules_ = gatherer_.rules();
      release_all();
    }
    for (const std::string& destination : destinations_.due_alarms()) {
      if (held_back(destination)) tools_.loop.spawn(look_after(destination));
      if (queue_.has_due(destination) && destinations_.may_start(destination)) wake(destination);
    }
  }
}

// Calls those for whom there is room again.
io::Task<void> Deliverer::watch_limits() {
  constexpr base::Milliseconds kLeast{10}, kMost{1000};
  for (;;) {
    const auto next = limits_.next_call();
    const auto pause = next ? std::clamp(*next - tools_.clock.now(), kLeast, kMost) : kMost;
    const bool elapsed = co_await limits_changed_.wait(pause);
    (void)elapsed;  // else the time of the next call is another
    if (stopping_) continue;
    limits_.set_rules(gatherer_.rules());
    const auto wants = [this](const std::string& destination) {
      const WaitingTogether* waits = destinations_.waits(destination);
      const bool paused = waits && tools_.clock.now() < waits->until;
      return !paused && queue_.has_due(destination);
    };
    for (const std::string& destination : limits_.called(wants)) wake(destination);
    // An idle connection is given to who waits for one.
    for (Idle& idle : idle_) {
      if (!Limits::wanted_by_others(idle.counted, idle.destination)) continue;
      idle.must_leave = true;
      idle.timer.cancel();
    }
  }
}

// There is no room for one more message of this destination: then it stands in a line. `session`: that which
// the message would go over; null: one is to be made.
bool Deliverer::must_wait(const std::string& destination, const Session* session) {
  limits_.set_rules(gatherer_.rules());
  const auto line = limits_.waits(destination);
  if (line == Limits::Need::message || (line && !session)) return true;
  const Limits::Way way{destination, queue::domain_of(destination), session ? session->host_name() : ""};
  const auto full = limits_.full(way, session ? Limits::Need::message : Limits::Need::connection);
  if (!full) return false;
  limits_.wait(destination, *full);
  destinations_.look_again(destination, tools_.clock.now() + kLook);
  return true;
}

namespace {

bool failed_by_sts(const Problem& problem) {
  return std::any_of(problem.failed.begin(), problem.failed.end(), [](policy::Source s) {
    return s == policy::Source::sts || s == policy::Source::sts_pins;
  });
}

}  // namespace

// Gives up what is past its lifetime of a destination's mail, for the reason for which all of it waits.
io::Task<void> Deliverer::expire(std::string destination) {
  bool looked = false;  // for a newer policy
  for (std::size_t n = queue_.promote_expired(destination); n > 0 && !stopping_; --n) {
    auto work = queue_.take(destination);
    if (!work) break;
    bool given_up = false;
    try {
      given_up = co_await give_up(*work, looked);
    } catch (const std::exception& e) {
      base::log_error("expiry_broken", {{"id", work->message->id.str()}, {"what", e.what()}});
    }
    if (given_up) continue;
    queue_.give_back(std::move(*work));
    break;
  }
}

// One message that is past its lifetime. False: it is to be given back, for there may be another way now.
io::Task<bool> Deliverer::give_up(queue::Work work, bool& looked) {
  const std::optional<WaitingTogether> found = held_back(work.destination);
  if (!found || !queue_.expired(*work.message)) co_return false;
  const WaitingTogether why = *found;
  // RFC 8461 5: before it is given up, whatever another message found.
  if (!looked && failed_by_sts(why.problem)) {
    looked = true;
    const auto known = co_await targets_.domain(work.domain);
    std::optional<discovery::DomainFacts> newer;
    if (known) newer = co_await newer_policy(work, *known);
    if (newer) {
      destinations_.release(work.destination);
      co_return false;
    }
  }
  std::vector<Outcome> outcomes = all(work, why.problem, why.host);
  co_await finish(std::move(work), std::move(outcomes), nullptr);
  co_return true;
}

// Why nothing of a destination's mail is tried now.
std::optional<WaitingTogether> Deliverer::held_back(const std::string& destination) {
  if (const WaitingTogether* waits = destinations_.waits(destination)) return *waits;
  const std::string limit = limits_.waits(destination) ? limits_.why(destination) : "";
  if (limit.empty()) return std::nullopt;
  WaitingTogether out;
  out.problem = temporary("4.4.5", "it " + limit);
  out.problem.limited = true;
  return out;
}

// RFC 3461 5.2.5: whoever is to be told of a delay is told though his message is not tried, once.
io::Task<void> Deliverer::tell_of_delay(std::string destination) {
  const base::Seconds age = tools_.settings.delay_notice;
  if (age == base::Seconds(0)) co_return;
  const queue::Queue::Aged late = queue_.aged(destination, age);
  for (auto at = late.ids.begin(); at != late.ids.end(); ++at) {
    const queue::MessageId id = *at;
    const std::optional<WaitingTogether> why = held_back(destination);
    if (!why || stopping_) {
      queue_.name_again(destination, {at, late.ids.end()});
      look_later(destination, tools_.clock.now());
      co_return;
    }
    auto work = queue_.borrow(id, destination);
    if (!work) continue;
    std::vector<Outcome> outcomes = all(*work, why->problem, why->host);
    for (Outcome& o : outcomes) o.kind = Outcome::Kind::waiting;
    const base::Time now = tools_.clock.now();
    std::optional<queue::OwnMessage> notice;
    try {
      notice = make_notice(tools_.settings, queue_, *work->message, outcomes, false, now);
    } catch (const std::exception& e) {
      base::log_error("notice_broken", {{"id", id.str()}, {"what", e.what()}});
    }
    if (!notice) {
      queue_.give_back(std::move(*work));
      continue;
    }
    const auto recorded = co_await queue_.record(std::move(*work), std::move(outcomes), std::move(notice));
    if (!recorded)
      base::log_error("notice_not_recorded", {{"id", id.str()}, {"detail", recorded.error().detail}});
  }
  look_later(destination, late.next);
}

// When a destination that waits is looked at for mail that is past its lifetime, and for notices of delay.
void Deliverer::look_later(const std::string& destination, std::optional<base::Time> next_notice) {
  if (const auto at = queue_.next_expiry(destination)) destinations_.look_again(destination, *at);
  const bool told = tools_.settings.delay_notice > base::Seconds(0);
  if (!next_notice || !told) return;
  destinations_.look_again(destination, std::max(*next_notice, tools_.clock.now() + kLook));
}

// What is to be done for mail that waits together, and is not tried meanwhile.
io::Task<void> Deliverer::look_after(std::string destination) {
  ++workers_;
  try {
    co_await expire(destination);
    co_await tell_of_delay(destination);
  } catch (const std::exception& e) {
    // A bug or no memory: it is looked at again.
    base::log_error("expiry_broken", {{"destination", destination}, {"what", e.what()}});
  }
  --workers_;
  next_turns();
  if (!held_back(destination)) {
    if (queue_.has_due(destination)) wake(destination);
  } else if (const auto at = queue_.next_expiry(destination)) {
    destinations_.look_again(destination, std::max(*at, tools_.clock.now() + base::Seconds(1)));
  }
}

// Whoever waits for a connection longest is next.
void Deliverer::next_turns() {
  while (!turns_.empty() && workers_ < tools_.settings.max_connections) {
    const std::string next = std::move(turns_.front());
    turns_.pop_front();
    in_turn_.erase(next);
    if (queue_.has_due(next) && destinations_.may_start(next)) start(next);
  }
}

io::Task<void> Deliverer::work(std::string destination) {
  // So many messages, while others wait for a connection; then it is their turn.
  constexpr std::size_t kTurn = 20;
  std::unique_ptr<Session> session;
  for (std::size_t done = 1; !stopping_ && destinations_.may_go_on(destination); ++done) {
    bool more = co_await deliver_next(destination, session);
    if (!turns_.empty() && (done >= kTurn || destinations_.workers(destination) > 1)) break;
    const Limits::Held counted = session ? session->counted() : nullptr;
    if (done >= kTurn && Limits::wanted_by_others(counted, destination)) break;
    if (!more && session && session->reusable()) more = co_await wait_idle(destination, counted);
    if (!more) break;
  }
  // Gone from the count before the goodbye, so that new work does not wait for it.
  --workers_;
  std::unique_ptr<Session> last = leave(destination, session);
  destinations_.ended(destination);
  if (destinations_.workers(destination) == 0) limits_.left(destination);
  next_turns();
  if (queue_.has_due(destination)) wake(destination);
  if (last) co_await last->quit();
}

// The session is used no more.
std::unique_ptr<Session> Deliverer::leave(const std::string& destination, std::unique_ptr<Session>& session) {
  if (session) destinations_.connected(destination, false);
  return std::move(session);
}

// False: nothing is due, or it waits for a limit.
io::Task<bool> Deliverer::deliver_next(std::string destination, std::unique_ptr<Session>& session) {
  if (must_wait(destination, session.get())) co_return false;
  auto next = queue_.take(destination);
  if (!next) co_return false;
  // As many as the window lets.
  if (queue_.has_due(destination)) wake(destination);
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
    leave(destination, session).reset();
    std::vector<Outcome> deferred = all(*next, temporary("4.3.0", "an error in this relay; see its log"), "");
    std::optional<queue::OwnMessage> no_dsn;
    const auto recorded = co_await queue_.record(std::move(*next), std::move(deferred), std::move(no_dsn));
    if (!recorded) base::log_error("outcome_not_recorded", {{"detail", recorded.error().detail}});
  }
  co_return true;
}

// An idle session takes what comes, before another is opened. False: there is none.
bool Deliverer::wake_idle(const std::string& destination) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) {
    return idle.destination == destination && !idle.called;
  });
  if (found == idle_.end()) return false;
  found->called = true;
  found->timer.cancel();
  return true;
}

// True: there is work again.
io::Task<bool> Deliverer::wait_idle(std::string destination, Limits::Held counted) {
  const auto pause = tools_.settings.connection_idle;
  if (stopping_ || !turns_.empty() || pause == base::Milliseconds(0)) co_return false;
  if (Limits::wanted_by_others(counted, destination)) co_return false;
  idle_.emplace_back(std::move(destination), std::move(counted), tools_.loop);
  const auto me = std::prev(idle_.end());
  const bool elapsed = co_await me->timer.wait(pause);
  const bool more = !elapsed && me->called && !me->must_leave;
  idle_.erase(me);
  co_return more;
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
    o.in_turn = problem.limited;
    o.reply = problem.reply;
    out.push_back(std::move(o));
  }
  return out;
}

io::Task<void> Deliverer::deliver(queue::Work work, std::unique_ptr<Session>& session) {
  std::vector<Outcome> outcomes = co_await attempt(work, session);
  if (outcomes.empty()) {
    queue_.give_back(std::move(work));
    co_return;
  }
  co_await finish(std::move(work), std::move(outcomes), session.get());
}

io::Task<void> Deliverer::finish(queue::Work work, std::vector<Outcome> outcomes, const Session* session) {
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
    log_outcomes(work, outcomes, session);
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

// Asks the DNS for a newer MTA-STS policy than what is known; nothing where there is none.
io::Task<std::optional<discovery::DomainFacts>> Deliverer::newer_policy(const queue::Work& work,
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

io::Task<std::vector<Outcome>> Deliverer::attempt(const queue::Work& work,
                                                  std::unique_ptr<Session>& session) {
  const auto domain = co_await targets_.domain(work.domain);
  if (!domain) co_return all(work, permanent("5.1.2", domain.error().detail), "");
  discovery::DomainFacts facts = *domain;
  // Hosts that keep us waiting must not hold a worker for ever.
  Trial trial{.until = io::Steady::now() + tools_.settings.attempt_timeout};
  Tried tried = co_await try_hosts(work, facts, trial, session);
  if (tried.outcomes.empty() && failed_by_sts(tried.problem) && !tried.problem.unanswered) {
    // RFC 8461 5: before the message waits.
    const auto newer = co_await newer_policy(work, facts);
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
std::vector<Outcome> Deliverer::without_session(const queue::Work& work, const Tried& tried,
                                                const Trial& trial, bool connected) {
  std::vector<Outcome> outcomes = all(work, tried.problem, tried.host);
  if (trial.sent) destinations_.put_off(work.destination);
  if (trial.sent || tried.problem.permanent || tried.problem.ours) return outcomes;
  const auto not_before = trial.probed ? std::nullopt : trial.host_again;
  const auto then =
      destinations_.unreachable(work.destination, {tried.problem, tried.host, {}, {}}, not_before, connected);
  if (then.others_reach_it && !queue_.expired(*work.message)) return {};
  if (!then.until) return outcomes;
  for (Outcome& o : outcomes) o.not_before = then.until;
  look_later(work.destination, tools_.clock.now());
  base::log_warning("destination_waits", {{"destination", work.destination},
                                          {"until", base::format_time(*then.until)},
                                          {"status", tried.problem.status},
                                          {"reason", tried.problem.reason}});
  return outcomes;
}

// Each host in order, until one takes the message or may have taken it.
io::Task<Deliverer::Tried> Deliverer::try_hosts(const queue::Work& work, discovery::DomainFacts domain,
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

namespace {

// RFC 8689 4.2.1: QUIT to a host that will not do, while the next is tried.
io::Task<void> goodbye(std::unique_ptr<Session> session) { co_await session->quit(); }

}  // namespace

io::Task<Attempt<bool>> Deliverer::connect(const queue::Work& work, const Target& target, Trial& trial,
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
io::Task<std::vector<Outcome>> Deliverer::over_session(const queue::Work& work,
                                                       std::unique_ptr<Session>& session,
                                                       const Target& target, Trial& trial, Problem& problem) {
  const Limits::Way way{work.destination, work.domain, target.host};
  const bool sent_before = trial.sent;
  bool begun = false;
  trial.full.reset();
  for (int round = 0; round < 2; ++round) {
    // Reuse under the same host, the same decision and from the same source only.
    const bool reused = session && session->reusable() && session->host_name() == target.host &&
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

namespace {

using Fields = std::vector<base::Field>;

// What every line about an attempt says of it.
void add_connection(Fields& fields, const std::string& host, const Session* session) {
  fields.push_back({"host", host});
  fields.push_back({"address", session ? session->address() : "-"});
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
