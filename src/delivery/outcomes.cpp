#include "delivery/outcomes.hpp"

#include "base/log.hpp"
#include "delivery/bounce.hpp"

namespace pinnace::delivery {

using queue::Outcome;

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

void log_outcomes(const Tools& tools, const queue::Work& work, const std::vector<Outcome>& outcomes,
                  const Session* session) {
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
    if (o.kind != Outcome::Kind::failed || to_tell(tools.settings, *work.message, o, tools.clock.now()))
      continue;
    const bool null = work.message->reverse_path.empty();
    base::log_warning("undeliverable_dropped",
                      {{"id", work.message->id.str()},
                       {"to", work.message->recipients[o.recipient].address},
                       {"why", null ? "the null reverse-path gets no DSN (RFC 5321 6.1)"
                                    : "the sender asked for no notice of failure (RFC 3461 4.1)"}});
  }
}

}  // namespace

std::vector<Outcome> same_for_all(const queue::Work& work, const Problem& problem, const std::string& host) {
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

io::Task<void> record_outcomes(const Tools& tools, queue::Queue& queue, queue::Work work,
                               std::vector<Outcome> outcomes, const Session* session) {
  // What is deferred past its lifetime is given up now, and said so.
  const bool expired = queue.expired(*work.message);
  for (Outcome& o : outcomes) {
    if (!expired || o.kind != Outcome::Kind::deferred) continue;
    o.kind = Outcome::Kind::failed;
    // RFC 3463 3.5: the time is over. What a policy held back says that instead.
    if (o.status != "4.7.5") o.status = "4.4.7";
  }
  auto dsn = make_notice(tools.settings, queue, *work.message, outcomes, expired, tools.clock.now());
  const auto recorded = co_await queue.record(work, outcomes, std::move(dsn));
  // `delivered` in the log is so for good: not before it is durable.
  if (recorded) {
    log_outcomes(tools, work, outcomes, session);
  } else {
    base::log_error("outcome_not_recorded",
                    {{"id", work.message->id.str()}, {"detail", recorded.error().detail}});
  }
}

void log_refused(const queue::Work& work, const Session& session, const Problem& problem) {
  Fields fields = {{"id", work.message->id.str()}, {"domain", work.domain}};
  add_connection(fields, session.host_name(), &session);
  fields.push_back({"status", problem.status});
  fields.push_back({"reason", problem.reason});
  fields.push_back({"reply", problem.reply});
  base::log(base::Level::warning, "attempt_failed", fields);
}

}  // namespace pinnace::delivery
