#include <fmt/format.h>

#include "api/control.hpp"
#include "app/gate_hosts.hpp"
#include "app/gate_https.hpp"
#include "app/gate_keeper.hpp"
#include "app/gate_status.hpp"
#include "app/ledger_json.hpp"
#include "app/process_check.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"
#include "store/format.hpp"

namespace pinnace::app {
namespace {

std::string advert_of(const gate::Face::Name& name) { return fmt::format("{}", fmt::join(name.lines, ", ")); }

void log_loaded(const gate::Gate& gate) {
  for (const gate::Face::Name& name : gate.face().names())
    base::log_info("certificate_loaded", {{"hostname", name.host.hostname}, {"advert", advert_of(name)}});
}

// A gate while it runs, with its ledger where it keeps one.
struct RunningGate {
  const GateConfig& config;
  const std::string& config_file;
  gate::Gate& gate;
  GateHttps& https;
  GateKeeper* keeper;  // may be null

  // The certificates and keys from the same files, if what they would have the gate promise is sound.
  io::Task<base::Result<>> load(bool break_promises) const {
    if (keeper) co_return co_await keeper->reload(gate, break_promises);
    auto face = load_face(config);
    if (!face) co_return std::unexpected(face.error());
    const auto kept = face->keeps_promises_of(gate.face());
    if (!kept && !break_promises) co_return kept;
    gate.renew(std::move(*face));
    co_return base::Result<>{};
  }
  io::Task<base::Result<>> reload(bool break_promises) const {
    const auto done = co_await load(break_promises);
    if (done) {
      log_loaded(gate);
    } else {
      base::log_error("certificate_not_reloaded", {{"reason", done.error().detail}});
    }
    https.reload(gate.face(), config_file);
    co_return done;
  }
  io::Task<void> reload_at_signal() const {
    const auto done = co_await reload(false);
    (void)done;  // it is logged
  }
};

boost::json::object status(const RunningGate& running) {
  boost::json::object out;
  out["sessions"] = running.gate.sessions();
  boost::json::array hosts, held;
  for (const gate::Face::Name& name : running.gate.face().names()) {
    boost::json::array lines(name.lines.begin(), name.lines.end());
    if (hosts.empty()) out["advert"] = lines;
    hosts.push_back({{"hostname", name.host.hostname}, {"advert", std::move(lines)}});
  }
  out["hosts"] = std::move(hosts);
  out["backends"] = backends_json(running.gate);
  if (!running.keeper) return out;
  for (const auto& [hostname, back] : running.keeper->keeping().held()) {
    held.push_back({{"hostname", hostname},
                    {"until", base::format_time(back.obstacle.until)},
                    {"promises", back.obstacle.promises},
                    {"what", back.sentence()}});
  }
  out["held_back"] = std::move(held);
  return out;
}

io::Task<base::Result<boost::json::value>> answer(const RunningGate& running, boost::json::object request) {
  const auto* named = request.if_contains("command");
  const std::string command = named && named->is_string() ? std::string(named->as_string()) : std::string();
  if (GateReports::knows(command)) {
    auto answered = co_await running.https.answer(std::move(request));
    co_return answered;
  }
  if (command == "gate.senders") co_return senders_json(running.gate, request);
  base::Result<> done;
  if (command == "gate.reload") {
    const auto* broken = request.if_contains("break_promises");
    const bool break_promises = broken && broken->is_bool() && broken->as_bool();
    done = co_await running.reload(break_promises);
  } else if (command == "gate.ledger" || command == "gate.rebuild") {
    if (!running.keeper) co_return base::fail("api.command", "this gate keeps no ledger: set gate.data");
    if (command == "gate.rebuild") done = co_await running.keeper->rebuild(running.gate);
    if (!done) co_return std::unexpected(done.error());
    co_return boost::json::value(
        ledgers_json(running.keeper->promises().ledgers(), base::SystemClock().now()));
  } else if (command != "status") {
    co_return base::fail("api.command", fmt::format("a gate does not know the command '{}'", command));
  }
  if (!done) co_return std::unexpected(done.error());
  co_return boost::json::value(status(running));
}

// What is outstanding, and the keys in service.
std::optional<PinsHeld> pins_held(const gate::Gate& gate, const GateKeeper* keeper) {
  if (!keeper) return std::nullopt;
  PinsHeld out;
  for (const auto& [hostname, ledger] : keeper->promises().ledgers())
    out.promises.insert(out.promises.end(), ledger.promises().begin(), ledger.promises().end());
  for (const gate::Face::Name& name : gate.face().names()) {
    for (const auto& certificate : name.host.certificates)
      out.live.push_back(certificate.chain().pins().front());
  }
  return out;
}

base::Result<> serve(io::Loop& loop, const GateConfig& config, const std::string& config_file,
                     gate::Face face, std::optional<tls::ServerContext> web, store::Database* database,
                     GateKeeper* keeper) {
  const base::SystemClock clock;
  gate::Gate gate(loop, clock, config.gate, std::move(face));
  auto https =
      GateHttps::make(loop, clock, config, std::move(web), database, [&] { return pins_held(gate, keeper); });
  if (!https) return std::unexpected(https.error());
  (*https)->serve_policies(gate.face());
  const RunningGate running_gate{config, config_file, gate, **https, keeper};
  api::ControlServer control(loop, [&running_gate](boost::json::object request) {
    return answer(running_gate, std::move(request));
  });
  auto started = config.control.empty() ? base::Result<>() : control.start(config.control);
  if (started) started = gate.start();
  if (started) started = (*https)->start();
  if (!started) {
    loop.drop_tasks();
    return started;
  }
  if (keeper) {
    loop.spawn(keeper->run(gate));
  } else {
    base::log_warning("no_ledger", {{"what", "what is promised is not remembered: set gate.data"}});
  }
  for (const gate::Face::Name& name : gate.face().names())
    base::log_info("advert", {{"hostname", name.host.hostname}, {"lines", advert_of(name)}});
  base::log_info("ready", {{"service", "gate"}, {"hostname", config.gate.hostname}});
  Running running;
  running.stop = [&] {
    gate.stop();
    (*https)->stop();
    control.stop();
    if (keeper) keeper->stop();
  };
  running.stopped = [&] { return gate.sessions() == 0 && (*https)->stopped(); };
  running.reload = [&] { loop.spawn(running_gate.reload_at_signal()); };
  running.status = [&gate, keeper] {
    const bool held = keeper && !keeper->keeping().held().empty();
    return fmt::format("{} sessions{}", gate.sessions(), held ? "; a certificate is held back" : "");
  };
  run_until_stopped(loop, running);
  return {};
}

base::Result<> run(const GateConfig& config, const std::string& config_file, bool break_promises) {
  auto hosts = load_hosts(config);  // keys that only root may read
  if (!hosts) return std::unexpected(hosts.error());
  auto web = load_https(config.https);
  if (!web) return std::unexpected(web.error());
  io::Loop loop;
  if (config.data.empty()) {
    auto face = gate::Face::make(std::move(*hosts), config.gate.advert, config.gate.tls);
    if (!face) return std::unexpected(face.error());
    if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
    return serve(loop, config, config_file, std::move(*face), std::move(*web), nullptr, nullptr);
  }
  if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
  auto database = store::Database::open(loop, store_of(config), config.store);
  if (!database) return std::unexpected(database.error());
  auto keeper = GateKeeper::open(loop, config, **database);
  if (!keeper) return std::unexpected(keeper.error());
  auto face = (*keeper)->start(std::move(*hosts), break_promises);
  if (!face) return std::unexpected(face.error());
  return serve(loop, config, config_file, std::move(*face), std::move(*web), database->get(), keeper->get());
}

}  // namespace

int run_gate(const std::string& config_file, bool break_promises) {
  auto config = load_gate_config(config_file);
  if (!config) return refuse_to_start(config.error());
  set_up_log(config->log);
  const auto done = run(*config, config_file, break_promises);
  return done ? 0 : refuse_to_start(done.error());
}

int check_gate(const std::string& config_file) {
  std::vector<base::Error> faults;
  const auto config = load_gate_config(config_file);
  if (!config) return report_check(config_file, {config.error()});
  if (const auto face = load_face(*config); !face) faults.push_back(face.error());
  if (const auto web = load_https(config->https); !web) faults.push_back(web.error());
  check_process(needs_of(*config, config_file), {config_file}, faults);
  if (faults.empty() && !config->data.empty()) {
    if (const auto format = store::check_format(store_of(*config)); !format) faults.push_back(format.error());
  }
  return report_check(config_file, faults);
}

}  // namespace pinnace::app
