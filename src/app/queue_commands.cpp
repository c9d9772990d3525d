#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

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
  if (m.as_object().at("held").as_bool()) fmt::print("    held\n");
  if (str(m, "priority") != "normal") fmt::print("    priority {}\n", str(m, "priority"));
  if (wish == "waive") fmt::print("    rather without TLS than not at all (TLS-Required: No)\n");
  if (!m.at("dsn").is_null()) fmt::print("    asked of notices: {}\n", printable(str(m, "dsn")));
  for (const auto& r : m.as_object().at("recipients").as_array()) {
    fmt::print("    <{}>  {}  attempts {}  {}\n", printable(str(r, "address")), str(r, "state"),
               str(r, "attempts"), str(r, "next_attempt") == "-" ? "" : "next " + str(r, "next_attempt"));
    if (!r.at("dsn").is_null()) fmt::print("        asked of notices: {}\n", printable(str(r, "dsn")));
    if (!r.at("reason").as_string().empty()) {
      const std::string status = str(r, "last_status");
      fmt::print("        {}{}\n", status.empty() ? "" : status + " ", printable(str(r, "reason")));
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

namespace {

int fail(const base::Error& error) {
  std::fprintf(stderr, "pinnace: %s\n", error.detail.c_str());
  return 1;
}

json::object asking(const QueueRequest& request, const char* command) {
  json::object out;
  out["command"] = command;
  if (!request.ids.empty()) out["ids"] = json::array(request.ids.begin(), request.ids.end());
  const std::pair<const char*, const std::string*> texts[] = {{"domain", &request.domain},
                                                              {"sender", &request.sender},
                                                              {"reason", &request.reason},
                                                              {"older_than", &request.older_than},
                                                              {"priority", &request.priority}};
  for (const auto& [key, value] : texts) {
    if (!value->empty()) out[key] = *value;
  }
  if (request.held) out["held"] = true;
  if (request.all) out["all"] = true;
  if (request.dry_run) out["dry_run"] = true;
  return out;
}

// Page by page, so that neither side holds more than one.
base::Result<> each_page(const QueueRequest& request, json::object asked,
                         const std::function<void(const json::object& page)>& show) {
  for (;;) {
    auto page = api::ask(request.service.control, asked);
    if (!page) return std::unexpected(page.error());
    show(page->as_object());
    const json::value& next = page->as_object().at("next");
    if (!next.is_string()) return {};
    asked["after"] = next;
  }
}

// A JSON array, written as it comes.
class ArrayWriter {
 public:
  void add(const json::value& one) {
    fmt::print("{}{}", first_ ? "[" : ",", json::serialize(one));
    first_ = false;
  }
  void end() const { fmt::print("{}]\n", first_ ? "[" : ""); }

 private:
  bool first_ = true;
};

}  // namespace

int queue_list(const QueueRequest& request) {
  ArrayWriter all;
  std::size_t shown = 0;
  const auto done = each_page(request, asking(request, "queue.list"), [&](const json::object& page) {
    for (const auto& m : page.at("messages").as_array()) {
      ++shown;
      if (request.service.json) {
        all.add(m);
      } else {
        show_message(m);
      }
    }
  });
  if (!done) return fail(done.error());
  if (request.service.json) all.end();
  if (!request.service.json && shown == 0) fmt::print("no such message is queued\n");
  return 0;
}

int queue_show(const QueueRequest& request) {
  return ask_and_show(request.service, {{"command", "queue.show"}, {"id", request.ids.front()}},
                      show_message);
}

int queue_change(const QueueRequest& request, const std::string& operation) {
  json::object asked = asking(request, "queue.change");
  asked["operation"] = operation;
  std::uint64_t matched = 0, changed = 0;
  json::array busy;
  const bool list = request.dry_run && !request.service.json;
  const auto done = each_page(request, std::move(asked), [&](const json::object& page) {
    matched += page.at("matched").to_number<std::uint64_t>();
    if (const auto* n = page.if_contains("changed")) changed += n->to_number<std::uint64_t>();
    if (const auto* ids = page.if_contains("busy")) {
      for (const auto& id : ids->as_array()) busy.push_back(id);
    }
    if (!list) return;
    for (const auto& m : page.at("messages").as_array())
      fmt::print("{}  {}  from <{}>\n", str(m, "id"), str(m, "arrived"), printable(str(m, "sender")));
  });
  if (!done) return fail(done.error());
  if (request.service.json) {
    json::object out{{"operation", operation}, {"matched", matched}, {"changed", changed}, {"busy", busy}};
    if (request.dry_run) out["dry_run"] = true;
    fmt::print("{}\n", json::serialize(out));
  } else if (request.dry_run) {
    fmt::print("{} messages: {} would be asked of them\n", matched, operation);
  } else {
    fmt::print("{}: {} of {} messages\n", operation, changed, matched);
  }
  for (const auto& id : busy) {
    std::fprintf(stderr, "pinnace: message %s is being delivered right now: try again\n",
                 std::string(id.as_string()).c_str());
  }
  return busy.empty() ? 0 : 1;
}

namespace {

using Counts = std::map<std::string, std::uint64_t>;

std::vector<std::pair<std::string, std::uint64_t>> top_of(const Counts& counts, std::size_t most) {
  std::vector<std::pair<std::string, std::uint64_t>> out(counts.begin(), counts.end());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace

int queue_stats(const QueueRequest& request) {
  std::map<std::string, Counts> tables;
  std::map<std::string, std::uint64_t> totals;
  const auto done = each_page(request, {{"command", "queue.stats"}}, [&](const json::object& page) {
    for (const char* total : {"messages", "held", "octets"})
      totals[total] += page.at(total).to_number<std::uint64_t>();
    for (const char* table : {"destinations", "reasons", "ages"}) {
      for (const auto& [name, n] : page.at(table).as_object())
        tables[table][std::string(name)] += n.to_number<std::uint64_t>();
    }
  });
  if (!done) return fail(done.error());
  if (request.service.json) {
    json::object out;
    for (const auto& [name, n] : totals) out[name] = n;
    for (const auto& [table, counts] : tables) {
      json::array rows;
      for (const auto& [name, n] : top_of(counts, request.top))
        rows.push_back(json::object{{"name", name}, {"messages", n}});
      out[table] = std::move(rows);
    }
    fmt::print("{}\n", json::serialize(out));
    return 0;
  }
  fmt::print("{} messages, {} octets, {} held\n", totals["messages"], totals["octets"], totals["held"]);
  for (const char* table : {"destinations", "reasons", "ages"}) {
    const Counts& counts = tables[table];
    fmt::print("{}{}\n", table,
               counts.size() > request.top ? fmt::format(" (the first of {})", counts.size()) : "");
    for (const auto& [name, n] : top_of(counts, request.top)) fmt::print("{:>10}  {}\n", n, printable(name));
  }
  return 0;
}

namespace {

// The reverse of how a row comes: a character of 8 bits is an octet.
std::string octets_of(std::string_view characters) {
  std::string out;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    const auto lead = static_cast<unsigned char>(characters[i]);
    if (lead < 0x80 || i + 1 == characters.size()) {
      out += characters[i];
    } else {
      out += static_cast<char>((lead & 3) << 6 | (static_cast<unsigned char>(characters[++i]) & 0x3f));
    }
  }
  return out;
}

void print_envelope(const json::value& message) {
  fmt::print("X-Envelope-From: <{}>\r\n", printable(str(message, "sender")));
  for (const auto& r : message.as_object().at("recipients").as_array())
    fmt::print("X-Envelope-To: <{}>\r\n", printable(str(r, "address")));
  fmt::print("X-Envelope-Id: {}\r\nX-Envelope-Arrived: {}\r\n", str(message, "id"), str(message, "arrived"));
}

}  // namespace

int queue_export(const QueueRequest& request) {
  for (std::int64_t row = 0, rows = 1; row < rows; ++row) {
    const auto answer = api::ask(request.service.control,
                                 {{"command", "queue.row"}, {"id", request.ids.front()}, {"row", row}});
    if (!answer) return fail(answer.error());
    const json::object& part = answer->as_object();
    rows = part.at("rows").to_number<std::int64_t>();
    if (row == 0 && request.envelope) print_envelope(part.at("message"));
    const auto* characters = part.if_contains("octets");
    if (!characters) break;
    const std::string octets = octets_of(characters->as_string());
    if (std::fwrite(octets.data(), 1, octets.size(), stdout) != octets.size())
      return fail({"app.output", "the message could not be written to standard output"});
  }
  return 0;
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
