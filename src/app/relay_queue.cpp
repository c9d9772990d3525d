#include "app/relay_queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/log.hpp"
#include "smtp/dsn_parameters.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kPage = 1000;

std::string text(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

// The queue may hold text that is not UTF-8 (a peer's reply); JSON may not.
std::string utf8(const std::string& s) {
  std::string out;
  for (const char c : s) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x80) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", octet);
    }
  }
  return out;
}

json::value time_or_null(base::Time t) {
  return t == base::Time{} ? json::value(nullptr) : json::value(base::format_time(t));
}

// Parameters of a command, as its client gave them; null: none.
json::value parameters_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(utf8(text.substr(1)));
}

json::object to_json(const queue::Message& m) {
  json::array recipients;
  for (const queue::Recipient& r : m.recipients) {
    json::object one;
    one["address"] = utf8(r.address);
    one["state"] = queue::to_string(r.state);
    one["attempts"] = r.attempts;
    one["last_status"] = r.status;
    one["reason"] = utf8(r.reason);
    one["reply"] = utf8(r.reply);
    one["policy"] = utf8(r.policy);
    one["host"] = r.host;
    one["dsn"] = parameters_or_null(smtp::RcptDsn{r.notify, r.orcpt}.parameters(true));
    one["last_attempt"] = time_or_null(r.last_attempt);
    one["next_attempt"] =
        r.state == queue::RecipientState::waiting ? time_or_null(r.next_attempt) : json::value(nullptr);
    recipients.push_back(std::move(one));
  }
  json::object out;
  out["id"] = m.id.str();
  out["sender"] = utf8(m.reverse_path);
  out["recipients"] = std::move(recipients);
  out["size"] = m.size;
  out["arrived"] = base::format_time(m.arrived);
  out["client"] = utf8(m.client);
  out["tls_wish"] =
      m.tls_wish == queue::TlsWish::none ? json::value(nullptr) : json::value(queue::to_string(m.tls_wish));
  out["dsn"] = parameters_or_null(smtp::MailDsn{m.ret, m.envid}.parameters());
  out["priority"] = queue::to_string(m.priority);
  out["held"] = m.held;
  return out;
}

std::unexpected<base::Error> no_such_message(const std::string& id) {
  return base::fail("api.command",
                    fmt::format("no message {} is in the queue: 'pinnace queue list' shows what is", id));
}

std::string_view age_of(base::Time arrived, base::Time now) {
  using namespace std::chrono_literals;
  const auto age = now - arrived;
  if (age < 5min) return "under 5 minutes";
  if (age < 1h) return "under 1 hour";
  if (age < 6h) return "under 6 hours";
  if (age < 24h) return "under 1 day";
  return "1 day and more";
}

}  // namespace

// What waits together for a destination was not tried itself: it has the reason of what was. What waits for a
// limit has that as its reason.
void RelayQueue::share_reason(queue::Message& message) const {
  for (queue::Recipient& r : message.recipients) {
    if (r.state != queue::RecipientState::waiting || r.next_attempt > clock_.now()) continue;
    const std::string destination = queue::destination_of(queue::next_hop(r.address), message);
    const auto* why = deliverer_.waits(destination);
    if (!why || why->until <= clock_.now()) {
      std::string limit = message.held ? std::string() : deliverer_.limited(destination);
      if (!limit.empty()) {
        // Neither a failure nor an attempt.
        r.status.clear();
        r.reply.clear();
        r.reason = std::move(limit);
        continue;
      }
    }
    if (!why) continue;
    r.host = why->host;
    r.status = why->problem.status;
    r.reason = why->problem.reason;
    r.reply = why->problem.reply;
    r.policy = why->problem.decision;
    r.next_attempt = why->until;
  }
}

base::Result<queue::Message> RelayQueue::found(const std::string& id) const {
  const auto parsed = queue::MessageId::parse(id);
  if (!parsed) return no_such_message(id);
  auto message = queue_.find(*parsed);
  if (!message) return std::unexpected(message.error());
  if (!*message) return no_such_message(id);
  share_reason(**message);
  return std::move(**message);
}

base::Result<RelayQueue::Page> RelayQueue::page(const json::object& request, const QueueQuery& query) const {
  Page out;
  if (!query.ids.empty()) {
    for (const queue::MessageId id : query.ids) {
      auto one = found(id.str());
      if (!one) return std::unexpected(one.error());
      if (query.matches(*one)) out.messages.push_back(std::move(*one));
    }
    return out;
  }
  const auto after = queue::MessageId::parse(text(request, "after")).value_or(queue::MessageId{});
  auto looked_at = queue_.list(after, kPage);
  if (!looked_at) return std::unexpected(looked_at.error());
  std::size_t recipients = 0;
  for (const queue::Message& one : *looked_at) recipients += one.recipients.size();
  const bool full = looked_at->size() == kPage || recipients >= queue::Queue::kListedRecipients;
  if (full) out.next = json::string(looked_at->back().id.str());
  for (queue::Message& one : *looked_at) {
    share_reason(one);
    if (query.matches(one)) out.messages.push_back(std::move(one));
  }
  return out;
}

RelayQueue::Answer RelayQueue::list(const json::object& request) const {
  const auto query = QueueQuery::parse(request, clock_.now());
  if (!query) return std::unexpected(query.error());
  const auto some = page(request, *query);
  if (!some) return std::unexpected(some.error());
  json::array messages;
  for (const auto& m : some->messages) messages.push_back(to_json(m));
  return json::value(json::object{{"messages", std::move(messages)}, {"next", some->next}});
}

RelayQueue::Answer RelayQueue::show(const json::object& request) const {
  const auto one = found(text(request, "id"));
  if (!one) return std::unexpected(one.error());
  return json::value(to_json(*one));
}

RelayQueue::Answer RelayQueue::stats(const json::object& request) const {
  const auto some = page(request, {});
  if (!some) return std::unexpected(some.error());
  std::map<std::string, std::uint64_t> destinations, reasons, ages;
  std::uint64_t held = 0, octets = 0;
  for (const queue::Message& m : some->messages) {
    ++ages[std::string(age_of(m.arrived, clock_.now()))];
    held += m.held ? 1 : 0;
    octets += m.size;
    for (const auto& w : queue::Summary::of(m).waiting) ++destinations[w.destination];
    for (const queue::Recipient& r : m.recipients) {
      if (r.state != queue::RecipientState::waiting) continue;
      const std::string status = r.status.empty() ? "" : r.status + " ";
      ++reasons[r.reason.empty() ? "not tried yet" : utf8(status + r.reason.substr(0, 200))];
    }
  }
  const auto counts = [](const auto& all) {
    json::object out;
    for (const auto& [name, n] : all) out[name] = n;
    return out;
  };
  json::object out;
  out["messages"] = some->messages.size();
  out["held"] = held;
  out["octets"] = octets;
  out["destinations"] = counts(destinations);
  out["reasons"] = counts(reasons);
  out["ages"] = counts(ages);
  out["next"] = some->next;
  return json::value(std::move(out));
}

RelayQueue::Answer RelayQueue::row(const json::object& request) const {
  const auto message = found(text(request, "id"));
  if (!message) return std::unexpected(message.error());
  const auto* number = request.if_contains("row");
  const std::int64_t n = number && number->is_int64() ? number->as_int64() : 0;
  json::object out;
  out["rows"] = message->chunks;
  if (n == 0) out["message"] = to_json(*message);
  if (n < 0 || n >= message->chunks) return json::value(std::move(out));
  const auto octets = queue_.body_chunk(*message, static_cast<std::uint32_t>(n));
  if (!octets) return std::unexpected(octets.error());
  std::string characters;
  for (const char c : *octets) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x80) {
      characters += c;
    } else {
      characters += static_cast<char>(0xc0 | octet >> 6);
      characters += static_cast<char>(0x80 | (octet & 0x3f));
    }
  }
  out["octets"] = characters;
  return json::value(std::move(out));
}

std::size_t RelayQueue::retry(const Page& page) {
  std::size_t retried = 0;
  for (const queue::Message& m : page.messages) {
    for (const auto& w : queue::Summary::of(m).waiting) deliverer_.release(w.destination);
    const auto done = queue_.retry(m.id);
    retried += done && *done ? 1 : 0;
  }
  return retried;
}

io::Task<RelayQueue::Answer> RelayQueue::change(json::object request) {
  using Kind = queue::Operation::Kind;
  static const std::map<std::string, Kind> kinds = {{"hold", Kind::hold},
                                                    {"release", Kind::release},
                                                    {"requeue", Kind::requeue},
                                                    {"remove", Kind::remove},
                                                    {"priority", Kind::priority}};
  const std::string name = text(request, "operation");
  const auto kind = kinds.find(name);
  if (kind == kinds.end() && name != "retry")
    co_return base::fail("api.command", fmt::format("a queue does not know the operation '{}'", name));
  const auto query = QueueQuery::parse(request, clock_.now());
  if (!query) co_return std::unexpected(query.error());
  if (!query->selects()) {
    co_return base::fail("api.command",
                         "nothing is selected: name messages, what they have in common, or --all");
  }
  const auto* peer = request.if_contains("peer_uid");
  const std::string user = peer ? json::serialize(*peer) : "unknown";
  const auto* dry = request.if_contains("dry_run");
  json::object out;
  if (name == "retry" && query->everything() && !dry) {
    deliverer_.release_all();
    queue_.retry_all();
    base::log_info("operator_retry", {{"id", "all"}, {"user", user}});
    const queue::QueueStats stats = queue_.stats();
    out["matched"] = stats.messages;
    out["changed"] = stats.messages - stats.held;
    out["next"] = nullptr;
    co_return json::value(std::move(out));
  }
  const auto some = page(request, *query);
  if (!some) co_return std::unexpected(some.error());
  out["matched"] = some->messages.size();
  out["next"] = some->next;
  if (dry) {
    json::array messages;
    for (const auto& m : some->messages) messages.push_back(to_json(m));
    out["messages"] = std::move(messages);
    co_return json::value(std::move(out));
  }
  std::vector<queue::MessageId> ids;
  std::map<queue::MessageId, std::string> senders;
  for (const auto& m : some->messages) {
    ids.push_back(m.id);
    senders[m.id] = m.reverse_path;
  }
  if (name == "retry") {
    out["changed"] = retry(*some);
    for (const auto id : ids) base::log_info("operator_retry", {{"id", id.str()}, {"user", user}});
    co_return json::value(std::move(out));
  }
  queue::Operation operation{kind->second};
  const std::string level = text(request, "priority");
  operation.priority = level == "low"    ? queue::Priority::low
                       : level == "high" ? queue::Priority::high
                                         : queue::Priority::normal;
  const auto done = co_await queue_.operate(operation, std::move(ids));
  if (!done) co_return std::unexpected(done.error());
  for (const auto id : done->changed) {
    base::log_warning("operator_" + name, {{"id", id.str()}, {"from", senders[id]}, {"user", user}});
  }
  if (operation.kind == Kind::requeue) {
    for (const auto& m : some->messages) {
      for (const auto& w : queue::Summary::of(m).waiting) deliverer_.release(w.destination);
    }
  }
  json::array busy;
  for (const auto id : done->busy) busy.emplace_back(id.str());
  out["changed"] = done->changed.size();
  out["busy"] = std::move(busy);
  co_return json::value(std::move(out));
}

}  // namespace pinnace::app
