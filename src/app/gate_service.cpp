#include <fmt/format.h>

#include "api/control.hpp"
#include "app/gate_hosts.hpp"
#include "app/gate_https.hpp"
#include "app/gate_status.hpp"
#include "app/process_check.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"
#include "store/format.hpp"

namespace pinnace::app {
namespace {

io::Task<base::Result<boost::json::value>> answer(const gate::Gate& gate, GateHttps& https,
                                                  boost::json::object request) {
  const auto* named = request.if_contains("command");
  const std::string command = named && named->is_string() ? std::string(named->as_string()) : std::string();
  if (GateReports::knows(command)) {
    auto answered = co_await https.answer(std::move(request));
    co_return answered;
  }
  if (command == "gate.senders") co_return senders_json(gate, request);
  if (command != "status")
    co_return base::fail("api.command", fmt::format("a gate does not know the command '{}'", command));
  boost::json::object out;
  out["sessions"] = gate.sessions();
  boost::json::array hosts;
  for (const gate::Face::Name& name : gate.face().names()) {
    boost::json::array lines(name.lines.begin(), name.lines.end());
    if (hosts.empty()) out["advert"] = lines;
    hosts.push_back({{"hostname", name.host.hostname}, {"advert", std::move(lines)}});
  }
  out["hosts"] = std::move(hosts);
  out["backends"] = backends_json(gate);
  co_return boost::json::value(std::move(out));
}

base::Result<> renew(gate::Gate& gate, const GateConfig& config) {
  auto face = load_face(config);
  if (!face) return std::unexpected(face.error());
  return gate.renew(std::move(*face));
}

std::string advert_of(const gate::Face::Name& name) { return fmt::format("{}", fmt::join(name.lines, ", ")); }

// The certificates and keys from the same files, if what they would have the gate promise is sound.
void reload(gate::Gate& gate, const GateConfig& config) {
  if (const auto renewed = renew(gate, config); !renewed) {
    base::log_error("certificate_not_reloaded", {{"reason", renewed.error().detail}});
    return;
  }
  for (const gate::Face::Name& name : gate.face().names())
    base::log_info("certificate_loaded", {{"hostname", name.host.hostname}, {"advert", advert_of(name)}});
}

base::Result<> run(const GateConfig& config, const std::string& config_file) {
  auto face = load_face(config);
  if (!face) return std::unexpected(face.error());
  auto web = load_https(config.https);
  if (!web) return std::unexpected(web.error());

  io::Loop loop;
  if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
  const base::SystemClock clock;
  std::unique_ptr<store::Database> db;
  if (!config.data.empty()) {
    auto opened = store::Database::open(loop, config.data + "/store", {});
    if (!opened) return std::unexpected(opened.error());
    db = std::move(*opened);
  }
  gate::Gate gate(loop, clock, config.gate, std::move(*face));
  auto https = GateHttps::make(loop, clock, config, std::move(*web), db.get(), [] { return std::nullopt; });
  if (!https) return std::unexpected(https.error());
  (*https)->serve_policies(gate.face());
  api::ControlServer control(
      loop, [&](boost::json::object request) { return answer(gate, **https, std::move(request)); });
  auto started = config.control.empty() ? base::Result<>() : control.start(config.control);
  if (started) started = gate.start();
  if (started) started = (*https)->start();
  if (!started) {
    loop.drop_tasks();
    return started;
  }
  for (const gate::Face::Name& name : gate.face().names())
    base::log_info("advert", {{"hostname", name.host.hostname}, {"lines", advert_of(name)}});
  base::log_info("ready", {{"service", "gate"}, {"hostname", config.gate.hostname}});
  Running running;
  running.stop = [&] {
    gate.stop();
    (*https)->stop();
    control.stop();
  };
  running.stopped = [&] { return gate.sessions() == 0 && (*https)->stopped(); };
  running.reload = [&] {
    reload(gate, config);
    (*https)->reload(gate.face(), config_file);
  };
  running.status = [&gate] { return fmt::format("{} sessions", gate.sessions()); };
  run_until_stopped(loop, running);
  return {};
}

}  // namespace

int run_gate(const std::string& config_file) {
  auto config = load_gate_config(config_file);
  if (!config) return refuse_to_start(config.error());
  set_up_log(config->log);
  const auto done = run(*config, config_file);
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
    if (const auto format = store::check_format(config->data + "/store"); !format)
      faults.push_back(format.error());
  }
  return report_check(config_file, faults);
}

}  // namespace pinnace::app
