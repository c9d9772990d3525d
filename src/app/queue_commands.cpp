#include <fmt/format.h>

#include <cstdio>

#include "api/control.hpp"
#include "app/service_answer.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

void show_message(const json::value& m) {
  fmt::print("{}  {}  {} octets  from <{}>  by {}\n", str(m, "id"), str(m, "arrived"), str(m, "size"),
             printable(str(m, "sender")), printable(str(m, "client")));
  const std::string wish = str(m, "tls_wish");
  if (wish == "require") fmt::print("    TLS is a must on its whole way (REQUIRETLS)\n");
  if (wish == "waive") fmt::print("    rather without TLS than not at all (TLS-Required: No)\n");
  if (!m.at("dsn").is_null()) fmt::print("    asked of notices: {}\n", printable(str(m, "dsn")));
  for (const auto& r : m.as_object().at("recipients").as_array()) {
    fmt::print("    <{}>  {}  attempts {}  {}\n", printable(str(r, "address")), str(r, "state"),
               str(r, "attempts"), str(r, "next_attempt") == "-" ? "" : "next " + str(r, "next_attempt"));
    if (!r.at("dsn").is_null()) fmt::print("        asked of notices: {}\n", printable(str(r, "dsn")));
    if (!r.at("reason").as_string().empty()) {
      fmt::print("        {} {}\n", str(r, "last_status"), printable(str(r, "reason")));
    }
    if (!r.at("reply").as_string().empty())
      fmt::print("        {} said: {}\n", str(r, "host"), printable(str(r, "reply")));
    const std::string policy = str(r, "policy");
    if (!policy.empty() && policy != "-") fmt::print("        policy: {}\n", printable(policy));
  }
}

void show_set(const json::value& s) {
  if (s.as_object().contains("policy")) {
    fmt::print("{}  STSEC: TLS is a must until {}{}\n", str(s, "name"), str(s, "expires"),
               s.at("expired").as_bool() ? " (expired)" : "");
    return;
  }
  fmt::print("{}  {}  {}, {}{}  until {}{}\n", str(s, "name"), str(s, "scope"), str(s, "basis"),
             str(s, "stage"), str(s, "mode") == "REPORT" ? ", MODE=REPORT" : "", str(s, "expires"),
             s.at("expired").as_bool() ? " (expired)" : "");
  fmt::print("    noted {} from {}, matched in {} sessions\n", str(s, "noted"), str(s, "noted_from"),
             str(s, "matched_sessions"));
  for (const auto& p : s.at("pins").as_array())
    fmt::print("    {}  until {}\n", str(p, "pin"), str(p, "expires"));
}

void show_sets(const json::value& sets) {
  if (sets.as_array().empty()) fmt::print("nothing is noted\n");
  for (const auto& s : sets.as_array()) show_set(s);
}

}  // namespace

int queue_list(const Service& service) {
  // Page by page, so that neither side holds more than one.
  json::array all;
  std::string after;
  for (;;) {
    auto page = api::ask(service.control, {{"command", "queue.list"}, {"after", after}, {"limit", 1000}});
    if (!page) {
      std::fprintf(stderr, "pinnace: %s\n", page.error().detail.c_str());
      return 1;
    }
    const auto& rows = page->as_array();
    for (const auto& m : rows) {
      if (service.json) {
        all.push_back(m);
      } else {
        show_message(m);
      }
    }
    if (rows.size() < 1000) {
      if (service.json) fmt::print("{}\n", json::serialize(all));
      if (!service.json && after.empty() && rows.empty()) fmt::print("the queue is empty\n");
      return 0;
    }
    after = str(rows.back(), "id");
  }
}

int queue_show(const Service& service, const std::string& id) {
  return ask_and_show(service, {{"command", "queue.show"}, {"id", id}}, show_message);
}

int queue_retry(const Service& service, const std::string& id) {
  return ask_and_show(service, {{"command", "queue.retry"}, {"id", id}},
                      [](const json::value& v) { fmt::print("due now: {}\n", str(v, "retried")); });
}

int queue_remove(const Service& service, const std::string& id) {
  return ask_and_show(service, {{"command", "queue.remove"}, {"id", id}},
                      [](const json::value& v) { fmt::print("removed {}\n", str(v, "removed")); });
}

int pins_list(const Service& service) { return ask_and_show(service, {{"command", "pins.list"}}, show_sets); }

int pins_show(const Service& service, const std::string& name) {
  return ask_and_show(service, {{"command", "pins.show"}, {"name", name}}, show_sets);
}

int pins_forget(const Service& service, const std::string& name) {
  return ask_and_show(service, {{"command", "pins.forget"}, {"name", name}}, [](const json::value& v) {
    fmt::print("forgotten:\n");
    show_sets(v.at("forgotten"));
  });
}

int pins_set(const Service& service, const SetPins& request) {
  const auto age = base::parse_duration(request.max_age);
  if (!age) {
    std::fprintf(stderr, "pinnace: --max-age: %s\n", age.error().detail.c_str());
    return 2;
  }
  json::array list(request.pins.begin(), request.pins.end());
  return ask_and_show(service,
                      {{"command", "pins.set"},
                       {"name", request.name},
                       {"scope", request.domain ? "DOMAIN" : "HOST"},
                       {"max_age", age->count()},
                       {"pins", std::move(list)}},
                      show_set);
}

}  // namespace pinnace::app
