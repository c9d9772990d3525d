#include <fmt/format.h>

#include "api/control.hpp"
#include "app/service_loop.hpp"
#include "app/services.hpp"

namespace pinnace::app {
namespace {

io::Task<base::Result<boost::json::value>> answer(const gate::Gate& gate,
                                                  const std::vector<std::string>& lines,
                                                  boost::json::object request) {
  const auto* command = request.if_contains("command");
  if (!command || !command->is_string() || command->as_string() != "status") {
    co_return base::fail("api.command", "a gate knows the command 'status' only");
  }
  boost::json::object out;
  out["sessions"] = gate.sessions();
  boost::json::array advert;
  for (const auto& line : lines) advert.emplace_back(line);
  out["advert"] = std::move(advert);
  co_return boost::json::value(std::move(out));
}

base::Result<> run(const GateConfig& config) {
  auto context = tls::ServerContext::load(config.certificate, config.key);
  if (!context) return std::unexpected(context.error());
  auto backup = tls::pin_of_file(config.backup_key);
  if (!backup) return base::fail(backup.error().code, "backup_key: " + backup.error().detail);
  auto advert = gate::make_advert(config.gate, context->chain(), *backup);
  if (!advert) return std::unexpected(advert.error());

  io::Loop loop;
  gate::Gate gate(loop, config.gate, *context, *advert);
  const std::vector<std::string> lines = pins::ehlo_lines(*advert);
  api::ControlServer control(
      loop, [&gate, &lines](boost::json::object request) { return answer(gate, lines, std::move(request)); });
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
  run_until_stopped(
      loop,
      [&] {
        gate.stop();
        control.stop();
      },
      [&] { return gate.sessions() == 0; });
  return {};
}

}  // namespace

int run_gate(const std::string& config_file) {
  auto config = load_gate_config(config_file);
  if (!config) return refuse_to_start(config.error());
  if (!set_up_log(config->log)) {
    return refuse_to_start({"config.log", fmt::format("cannot write the log file {}", config->log.file)});
  }
  const auto done = run(*config);
  return done ? 0 : refuse_to_start(done.error());
}

}  // namespace pinnace::app
