#include "app/queue_query.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::app {
namespace json = boost::json;
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string text(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

bool flag(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_bool() && value->as_bool();
}

}  // namespace

base::Result<QueueQuery> QueueQuery::parse(const json::object& request, base::Time now) {
  // What is said and cannot be read would else select more than was meant.
  for (const char* key : {"domain", "sender", "reason", "older_than"}) {
    if (!request.contains(key) || !text(request, key).empty()) continue;
    return base::fail("api.command",
                      fmt::format("'{}' is empty: say what it shall be, or leave it out", key));
  }
  QueueQuery q;
  if (const auto* ids = request.if_contains("ids"); ids && ids->is_array()) {
    for (const json::value& one : ids->as_array()) {
      const std::string id = one.is_string() ? std::string(one.as_string()) : json::serialize(one);
      const auto parsed = queue::MessageId::parse(id);
      if (!parsed) {
        return base::fail(
            "api.command",
            fmt::format("no message {} is in the queue: 'pinnace queue list' shows what is", id));
      }
      if (std::find(q.ids.begin(), q.ids.end(), *parsed) == q.ids.end()) q.ids.push_back(*parsed);
    }
  }
  q.domain = lower(text(request, "domain"));
  q.sender = lower(text(request, "sender"));
  q.reason = lower(text(request, "reason"));
  q.held = flag(request, "held");
  q.all = flag(request, "all");
  if (const std::string age = text(request, "older_than"); !age.empty()) {
    const auto parsed = base::parse_duration(age);
    if (!parsed) return base::fail("api.command", "--older-than: " + parsed.error().detail);
    q.arrived_before = now - *parsed;
  }
  return q;
}

bool QueueQuery::everything() const {
  QueueQuery rest = *this;
  rest.all = false;
  return all && !rest.selects();
}

bool QueueQuery::selects() const {
  return all || held || !ids.empty() || !domain.empty() || !sender.empty() || !reason.empty() ||
         arrived_before != base::Time::max();
}

bool QueueQuery::matches(const queue::Message& message) const {
  if (held && !message.held) return false;
  if (message.arrived >= arrived_before) return false;
  if (!sender.empty()) {
    const std::string path = lower(message.reverse_path);
    const bool null = sender == "<>" && path.empty();
    const bool of_domain = sender.starts_with('@') && path.ends_with(sender);
    if (!null && !of_domain && path != sender) return false;
  }
  if (!ids.empty() && std::find(ids.begin(), ids.end(), message.id) == ids.end()) return false;
  if (domain.empty() && reason.empty()) return true;
  return std::any_of(message.recipients.begin(), message.recipients.end(), [this](const auto& r) {
    if (r.state != queue::RecipientState::waiting) return false;
    if (!domain.empty() && queue::next_hop(r.address) != domain) return false;
    return reason.empty() ||
           lower(r.status + " " + r.reason + " " + r.reply).find(reason) != std::string::npos;
  });
}

}  // namespace pinnace::app
