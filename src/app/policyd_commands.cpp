#include "app/policyd_commands.hpp"

#include <fmt/format.h>

#include "app/decision_json.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

std::string text(const json::object& request, std::string_view key) {
  const auto* value = request.if_contains(key);
  return value && value->is_string() ? std::string(value->as_string()) : std::string();
}

json::object to_json(const policyd::Told& told) {
  json::array maps;
  for (const policyd::Told::Reply& reply : told.replies) {
    json::object one;
    one["map"] = reply.map;
    one["told"] = reply.text;
    one["reason"] = reply.reason;
    one["notes"] = app::to_json(reply.notes);
    one["demands"] = reply.demanding;
    maps.push_back(std::move(one));
  }
  json::object out;
  out["domain"] = told.key;
  out["maps"] = std::move(maps);
  out["made"] = base::format_time(told.made);
  out["refresh"] = base::format_time(told.refresh);
  out["usable"] = base::format_time(told.usable);
  out["kept"] = told.kept;
  return out;
}

// Counts what was told of the domains of one request.
struct Warmed {
  explicit Warmed(io::Loop& loop) : ended(loop) {}
  std::size_t left = 0;
  std::uint64_t policies = 0, none = 0, failed = 0;
  json::array problems;
  io::Condition ended;
};

io::Task<void> warm_one(policyd::Engine& engine, std::string domain, std::shared_ptr<Warmed> out) {
  const auto told = co_await engine.ask(domain);
  const std::string said = told && !(*told)->replies.empty() ? (*told)->replies.front().text : "";
  if (said.starts_with("OK ")) {
    ++out->policies;
  } else if (said.starts_with("NOTFOUND")) {
    ++out->none;
  } else {
    ++out->failed;
    out->problems.emplace_back(domain + ": " + (told ? said : told.error().detail));
  }
  if (--out->left == 0) out->ended.notify_all();
}

}  // namespace

io::Task<PolicydCommands::Answer> PolicydCommands::run(json::object request) {
  const std::string command = text(request, "command");
  if (command == "policyd.ask") co_return co_await ask(std::move(request));
  if (command == "policyd.warm") co_return co_await warm(std::move(request));
  if (command == "policyd.stats") co_return stats();
  if (PolicyCommands::knows(command)) co_return co_await parts_.policies.run(std::move(request));
  co_return base::fail("api.command", fmt::format("a policyd does not know the command '{}'", command));
}

io::Task<PolicydCommands::Answer> PolicydCommands::ask(json::object request) {
  const auto told = co_await parts_.engine.ask(text(request, "domain"));
  if (!told) co_return std::unexpected(told.error());
  co_return json::value(to_json(**told));
}

io::Task<PolicydCommands::Answer> PolicydCommands::warm(json::object request) {
  const auto* domains = request.if_contains("domains");
  if (!domains || !domains->is_array() || domains->as_array().size() > kMostWarmed)
    co_return base::fail("api.command", fmt::format("at most {} domains are expected", kMostWarmed));
  const auto warmed = std::make_shared<Warmed>(parts_.loop);
  std::vector<std::string> names;
  for (const auto& one : domains->as_array()) {
    if (one.is_string()) names.emplace_back(one.as_string());
  }
  warmed->left = names.size();
  for (std::string& name : names) parts_.loop.spawn(warm_one(parts_.engine, std::move(name), warmed));
  while (warmed->left > 0) co_await warmed->ended.wait();
  json::object out;
  out["policies"] = warmed->policies;
  out["none"] = warmed->none;
  out["failed"] = warmed->failed;
  out["problems"] = std::move(warmed->problems);
  co_return json::value(std::move(out));
}

PolicydCommands::Answer PolicydCommands::stats() const {
  const policyd::ServerStats server = parts_.server.stats();
  const policyd::EngineStats engine = parts_.engine.stats();
  json::object temporary;
  for (const auto& [what, count] : engine.temporary) temporary[what] = count;
  json::object out;
  out["connections"] = server.connections;
  out["requests"] = server.requests;
  out["ready"] = server.ready;
  out["looked_up"] = server.looked_up;
  out["timed_out"] = server.timed_out;
  out["refused"] = server.refused;
  out["lookups"] = json::object{{"cold", engine.cold},           {"shared", engine.shared},
                                {"refreshed", engine.refreshed}, {"told_on", engine.told_on},
                                {"changed", engine.changed},     {"running", engine.running},
                                {"due", engine.waiting},         {"temporary", std::move(temporary)}};
  out["answers"] = json::object{{"domains", parts_.answers.size()},
                                {"octets", parts_.answers.octets()},
                                {"evicted", parts_.answers.evicted()}};
  out["anchors"] = engine.anchors;
  out["unwritten"] = engine.unwritten;
  if (parts_.prober) {
    const policyd::ProberStats probes = parts_.prober->stats();
    out["probes"] = json::object{{"made", probes.probes},
                                 {"failed", probes.failed},
                                 {"noted", probes.noted},
                                 {"waiting", probes.waiting}};
  } else {
    out["probes"] = nullptr;
  }
  return json::value(std::move(out));
}

}  // namespace pinnace::app
