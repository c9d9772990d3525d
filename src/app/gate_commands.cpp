#include "app/gate_commands.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "api/control.hpp"
#include "app/gate_hosts.hpp"
#include "app/gate_ledger.hpp"
#include "app/ledger_json.hpp"
#include "app/service_answer.hpp"

namespace pinnace::app {
namespace {

namespace json = boost::json;

// Which gate: by its configuration or, while it runs, by its control socket.
struct Which {
  std::string config;
  Service service;
};

std::shared_ptr<Which> add_which(CLI::App& command) {
  auto which = std::make_shared<Which>();
  const char* set = std::getenv("PINNACE_CONTROL");
  which->service.control = set ? set : "/run/pinnace/gate.sock";
  command.add_option("--config", which->config, "The gate's configuration");
  command.add_option("--control", which->service.control, "The running gate's control socket")
      ->capture_default_str();
  command.add_flag("--json", which->service.json, "Answer in JSON, for programs");
  return which;
}

base::Result<json::value> ask(const Which& which, const json::object& request) {
  if (which.config.empty()) return api::ask(which.service.control, request);
  const auto config = load_gate_config(which.config);
  if (!config) return std::unexpected(config.error());
  if (config->control.empty()) return base::fail("api.control", which.config + " sets no gate.control");
  return api::ask(config->control, request);
}

void show_status(const json::value& status) {
  fmt::print("{} sessions\n", status.at("sessions").to_number<std::size_t>());
  for (const json::value& host : status.at("hosts").as_array()) {
    fmt::print("{}\n", tamed(host, "hostname"));
    for (const json::value& line : host.at("advert").as_array())
      fmt::print("  {}\n", printable(std::string_view(line.as_string())));
  }
  if (const auto* held = status.as_object().if_contains("held_back")) {
    for (const json::value& one : held->as_array())
      fmt::print("HELD BACK {}: {}\n", tamed(one, "hostname"), tamed(one, "what"));
  }
}

bool holds_back(const json::value& status) {
  const auto* held = status.as_object().if_contains("held_back");
  return held && !held->as_array().empty();
}

int show_ledger(const Which& which) {
  const auto answer = which.config.empty() ? api::ask(which.service.control, {{"command", "gate.ledger"}})
                                           : ledger_of(which.config, false);
  return show_answer(answer, which.service.json, show_ledgers);
}

}  // namespace

void add_gate_commands(CLI::App& gate, int& code) {
  gate.require_subcommand(0, 1);
  auto* reload = gate.add_subcommand("reload",
                                     "Read certificates and keys again, as SIGHUP does; what would break a "
                                     "promise is held back. Exit code: 0 "
                                     "all are served, 1 not all");
  auto* status = gate.add_subcommand("status", "What is advertised, and what is held back until when");
  auto* ledger = gate.add_subcommand("ledger", "What is promised, and who may hold it until when");
  const auto breaks = std::make_shared<bool>(false);
  reload->add_flag("--break-promises", *breaks,
                   "Take the certificate although it breaks promises: senders that heard them hold their "
                   "mail until they are over. It is logged");
  const auto of_reload = add_which(*reload), of_status = add_which(*status), of_ledger = add_which(*ledger);
  reload->callback([&code, breaks, of_reload] {
    const auto answer = ask(*of_reload, {{"command", "gate.reload"}, {"break_promises", *breaks}});
    code = show_answer(answer, of_reload->service.json, show_status);
    if (answer && holds_back(*answer)) code = 1;
  });
  status->callback([&code, of_status] {
    code = show_answer(ask(*of_status, {{"command", "status"}}), of_status->service.json, show_status);
  });
  ledger->callback([&code, of_ledger] { code = show_ledger(*of_ledger); });
}

void add_ledger_commands(CLI::App& pins, int& code) {
  auto* ledger = pins.add_subcommand("ledger", "What a gate promised of its own keys");
  ledger->require_subcommand(1);
  auto* show = ledger->add_subcommand("show", "What is promised, and who may hold it until when");
  auto* rebuild = ledger->add_subcommand(
      "rebuild",
      "The ledger was lost: assume of the key that is served the longest promise that may have been made, so "
      "that no other goes in before that is over. The right certificate must be in its files");
  const auto of_show = add_which(*show), of_rebuild = add_which(*rebuild);
  show->callback([&code, of_show] { code = show_ledger(*of_show); });
  rebuild->callback([&code, of_rebuild] {
    const auto answer = of_rebuild->config.empty()
                            ? api::ask(of_rebuild->service.control, {{"command", "gate.rebuild"}})
                            : ledger_of(of_rebuild->config, true);
    code = show_answer(answer, of_rebuild->service.json, show_ledgers);
  });
}

}  // namespace pinnace::app
