#include <fmt/format.h>

#include "api/control.hpp"
#include "app/process_check.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"

namespace pinnace::app {
namespace {

io::Task<base::Result<boost::json::value>> answer(const gate::Gate& gate, boost::json::object request) {
  const auto* command = request.if_contains("command");
  if (!command || !command->is_string() || command->as_string() != "status") {
    co_return base::fail("api.command", "a gate knows the command 'status' only");
  }
  boost::json::object out;
  out["sessions"] = gate.sessions();
  boost::json::array advert;
  for (const auto& line : gate.advert_lines()) advert.emplace_back(line);
  out["advert"] = std::move(advert);
  co_return boost::json::value(std::move(out));
}

base::Result<pins::Advert> advert_of(const GateConfig& config, const tls::ServerContext& context) {
  auto backup = tls::pin_of_file(config.backup_key);
  if (!backup) return base::fail(backup.error().code, "backup_key: " + backup.error().detail);
  return gate::make_advert(config.gate, context.chain(), *backup);
}

base::Result<> renew(gate::Gate& gate, const GateConfig& config) {
  auto context = tls::ServerContext::load(config.certificate, config.key);
  if (!context) return std::unexpected(context.error());
  const auto advert = advert_of(config, *context);
  if (!advert) return std::unexpected(advert.error());
  return gate.renew(*context, *advert);
}

// The certificate and keys from the same files, if what they would have the gate promise is sound.
void reload(gate::Gate& gate, const GateConfig& config) {
  if (const auto renewed = renew(gate, config); !renewed) {
    base::log_error("certificate_not_reloaded",
                    {{"file", config.certificate}, {"reason", renewed.error().detail}});
    return;
  }
  std::string advert;
  for (const auto& line : gate.advert_lines()) advert += (advert.empty() ? "" : ", ") + line;
  base::log_info("certificate_loaded", {{"file", config.certificate}, {"advert", advert}});
}

base::Result<> run(const GateConfig& config, const std::string& config_file) {
  auto context = tls::ServerContext::load(config.certificate, config.key);
  if (!context) return std::unexpected(context.error());
  auto advert = advert_of(config, *context);
  if (!advert) return std::unexpected(advert.error());

  io::Loop loop;
  if (auto done = set_up_process(loop, needs_of(config, config_file)); !done) return done;
  gate::Gate gate(loop, config.gate, *context, *advert);
  api::ControlServer control(
      loop, [&gate](boost::json::object request) { return answer(gate, std::move(request)); });
  auto started = config.control.empty() ? base::Result<>() : control.start(config.control);
  if (started) started = gate.start();
  if (!started) {
    loop.drop_tasks();
    return started;
  }
  base::log_info("ready", {{"service", "gate"},
                           {"hostname", config.gate.hostname},
                           {"pin", advert->pins[0].pin.str()},
                           {"backup", advert->pins[1].pin.str()}});
  Running running;
  running.stop = [&] {
    gate.stop();
    control.stop();
  };
  running.stopped = [&] { return gate.sessions() == 0; };
  running.reload = [&] { reload(gate, config); };
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
  const auto context = tls::ServerContext::load(config->certificate, config->key);
  if (!context) {
    faults.push_back(context.error());
  } else if (const auto advert = advert_of(*config, *context); !advert) {
    faults.push_back(advert.error());
  }
  check_process(needs_of(*config, config_file), {config_file}, faults);
  return report_check(config_file, faults);
}

}  // namespace pinnace::app
