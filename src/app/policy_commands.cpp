#include "app/policy_commands.hpp"

#include <fmt/format.h>

#include "app/decision_json.hpp"
#include "app/explanation.hpp"
#include "app/rule_report.hpp"
#include "base/log.hpp"
#include "names/domain.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

std::string text(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

bool flag(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_bool() && value->as_bool();
}

std::int64_t number(const json::object& request, std::string_view key, std::int64_t fallback) {
  const auto* value = request.if_contains(key);
  return value && value->is_int64() ? value->as_int64() : fallback;
}

json::value time_or_null(base::Time t) {
  return t == base::Time{} ? json::value(nullptr) : json::value(base::format_time(t));
}

json::object to_json(const pins::PinSet& s, base::Time now) {
  json::array list;
  for (const auto& p : s.pins) {
    json::object one;
    one["pin"] = p.pin.str();
    one["expires"] = base::format_time(p.expires);
    list.push_back(std::move(one));
  }
  json::object out;
  out["name"] = s.name;
  out["scope"] = pins::to_string(s.scope);
  out["mode"] = pins::to_string(s.mode);
  out["basis"] = pins::to_string(s.basis);
  out["stage"] = pins::to_string(s.stage);
  out["enforced"] = s.enforced(now);
  out["pins"] = std::move(list);
  out["noted"] = base::format_time(s.noted);
  out["noted_from"] = s.noted_from;
  out["expires"] = base::format_time(s.expires());
  out["expired"] = s.expired(now);
  out["matched_sessions"] = s.matched_sessions;
  out["last_matched"] = time_or_null(s.last_matched);
  json::array hosts;
  for (const auto& h : s.hosts) hosts.emplace_back(h);
  out["hosts"] = std::move(hosts);
  if (!s.rua.empty()) out["rua"] = s.rua;
  return out;
}

json::object to_json(const pins::StsecRecord& r, base::Time now) {
  json::object out;
  out["name"] = r.host;
  out["scope"] = "HOST";
  out["policy"] = "stsec";
  out["enforced"] = r.in_force(now);
  out["noted"] = base::format_time(r.noted);
  out["expires"] = base::format_time(r.expires);
  out["expired"] = !r.in_force(now);
  return out;
}

}  // namespace

bool PolicyCommands::knows(std::string_view command) {
  for (const char* prefix : {"pins.", "policy.", "rule.", "sts."}) {
    if (command.starts_with(prefix)) return true;
  }
  return false;
}

io::Task<PolicyCommands::Answer> PolicyCommands::run(json::object request) {
  const std::string command = text(request, "command");
  if (command == "pins.list") co_return pins_list("");
  if (command == "pins.show") co_return pins_list(text(request, "name"));
  if (command == "pins.forget") co_return co_await pins_forget(std::move(request));
  if (command == "pins.set") co_return co_await pins_set(std::move(request));
  if (command == "policy.explain") co_return co_await explain_policy(std::move(request));
  const policy::RuleBook& rules = *parts_.gatherer.rules();
  if (command == "rule.list") co_return json::value(app::to_json(rules, parts_.clock.now()));
  if (command == "rule.test")
    co_return test_rules(rules, text(request, "domain"), text(request, "host"), parts_.clock.now());
  if (command == "rule.reload") co_return reload_rules();
  if (command == "sts.list") co_return sts_list();
  if (command == "sts.forget") co_return co_await sts_forget(std::move(request));
  co_return base::fail("api.command", fmt::format("the command '{}' is not known here", command));
}

PolicyCommands::Answer PolicyCommands::pins_list(const std::string& name) const {
  auto sets = parts_.pins.list();
  if (!sets) return std::unexpected(sets.error());
  auto stsec = parts_.pins.list_stsec();
  if (!stsec) return std::unexpected(stsec.error());
  json::array out;
  for (const auto& s : *sets) {
    if (name.empty() || s.name == name) out.push_back(to_json(s, parts_.clock.now()));
  }
  for (const auto& r : *stsec) {
    if (name.empty() || r.host == name) out.push_back(to_json(r, parts_.clock.now()));
  }
  if (!name.empty() && out.empty()) {
    return base::fail("api.command",
                      fmt::format("nothing is noted of {}: 'pinnace pins list' shows what is", name));
  }
  return json::value(std::move(out));
}

io::Task<PolicyCommands::Answer> PolicyCommands::pins_forget(json::object request) {
  const std::string name = text(request, "name");
  auto known = pins_list(name);
  if (!known) co_return known;
  if (name.empty()) co_return base::fail("api.command", "a host's or domain's name is expected");
  std::vector<std::string> keys;
  for (const char* prefix : {"host/", "domain/", "stsec/"}) keys.push_back(prefix + name);
  for (const std::string& key : keys) {
    const auto done = co_await parts_.pins.erase(key);
    if (!done) co_return std::unexpected(done.error());
  }
  parts_.changed(name);
  base::log_warning("operator_forget_pins", {{"name", name}, {"was", json::serialize(*known)}});
  json::object out;
  out["forgotten"] = std::move(*known);
  co_return json::value(std::move(out));
}

io::Task<PolicyCommands::Answer> PolicyCommands::pins_set(json::object request) {
  const std::string name = text(request, "name");
  pins::PinSet set;
  set.scope = text(request, "scope") == "DOMAIN" ? pins::Scope::domain : pins::Scope::host;
  const auto host = names::Domain::parse(name.substr(0, name.find(':')));
  if (!host) co_return base::fail("api.command", host.error().detail);
  set.name = host->str() + (name.find(':') == std::string::npos ? "" : name.substr(name.find(':')));
  set.basis = pins::Basis::operator_rule;
  set.stage = pins::Stage::enforced;
  set.noted = parts_.clock.now();
  set.noted_from = "the operator";
  const base::Seconds max_age(number(request, "max_age", 60 * 86400));
  const auto* list = request.if_contains("pins");
  if (list && list->is_array()) {
    for (const auto& item : list->as_array()) {
      const auto pin = item.is_string() ? pins::Pin::parse(std::string_view(item.as_string())) : std::nullopt;
      if (!pin) co_return base::fail("api.command", "a pin is the base64 of 32 octets");
      set.pins.push_back({*pin, set.noted + max_age});
    }
  }
  if (set.pins.empty() || set.pins.size() > pins::kMaxPins || max_age <= base::Seconds(0)) {
    co_return base::fail("api.command", "1 to 32 pins and a time are expected");
  }
  const auto saved = co_await parts_.pins.save(set);
  if (!saved) co_return std::unexpected(saved.error());
  parts_.changed(set.name);
  base::log_warning("operator_set_pins", {{"name", set.name}, {"until", base::format_time(set.expires())}});
  co_return json::value(to_json(set, parts_.clock.now()));
}

io::Task<PolicyCommands::Answer> PolicyCommands::explain_policy(json::object request) {
  const auto question = read_question(text(request, "recipient"), flag(request, "requiretls"),
                                      flag(request, "tls_required_no"));
  if (!question) co_return std::unexpected(question.error());
  Question asked = *question;
  postfix::Options options = parts_.postfix;
  co_return co_await explain({parts_.loop, parts_.clock, parts_.gatherer, parts_.port, parts_.prober},
                             std::move(asked), std::move(options));
}

PolicyCommands::Answer PolicyCommands::reload_rules() {
  const auto count = parts_.rules.reload();
  if (!count) return std::unexpected(count.error());
  json::object out;
  out["rules"] = *count;
  return json::value(std::move(out));
}

PolicyCommands::Answer PolicyCommands::sts_list() const {
  const auto all = parts_.sts.list();
  if (!all) return std::unexpected(all.error());
  json::array out;
  for (const sts::Cached& cached : *all) {
    discovery::StsFound found;
    found.kind = discovery::StsFound::Kind::policy;
    found.cached = std::make_shared<const sts::Cached>(cached);
    json::object one = app::to_json(found);
    one["domain"] = cached.domain;
    one["expired"] = !cached.live(parts_.clock.now());
    out.push_back(std::move(one));
  }
  return json::value(std::move(out));
}

io::Task<PolicyCommands::Answer> PolicyCommands::sts_forget(json::object request) {
  const auto domain = names::Domain::parse(text(request, "domain"));
  if (!domain) co_return base::fail("api.command", domain.error().detail);
  const auto done = co_await parts_.sts.forget(domain->str());
  if (!done) co_return std::unexpected(done.error());
  parts_.changed(domain->str());
  base::log_warning("operator_forget_sts", {{"domain", domain->str()}});
  json::object out;
  out["forgotten"] = domain->str();
  co_return json::value(std::move(out));
}

}  // namespace pinnace::app
