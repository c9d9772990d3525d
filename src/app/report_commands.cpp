#include "app/report_commands.hpp"

#include <cstdlib>
#include <memory>

#include "app/commands.hpp"

namespace pinnace::app {

void add_report_commands(CLI::App& root, int& code) {
  const auto request = std::make_shared<ReportRequest>();
  const char* control = std::getenv("PINNACE_CONTROL");
  request->service.control = control ? control : "/run/pinnace/gate.sock";
  auto* report = root.add_subcommand("report", "TLS reports (RFC 8460) about the domains that a gate is for");
  report->require_subcommand(1);
  auto* take = report->add_subcommand(
      "take",
      "Take a report in, as an MTA's pipe: a mail, gzip or JSON. "
      "Exit code, by sysexits.h: 0 taken, 65 no report or none about us (return it), 75 no gate is there now "
      "(try again)");
  take->add_option("FILE", request->file, "What was delivered; - for standard input")->capture_default_str();
  take->add_option("--config", request->config,
                   "A gate's configuration: where no gate runs, write into its store");
  auto* inbound = report->add_subcommand(
      "inbound",
      "Who could not reach us over TLS, and why: each kind of failure, its likely cause and what to do");
  inbound->add_option("--domain", request->domain, "Of this domain alone");
  inbound->add_option("--since", request->since, "A date (2026-11-20), or for how long back (30d)")
      ->capture_default_str();
  for (auto* command : {take, inbound}) {
    command
        ->add_option("--control", request->service.control,
                     "The running gate's control socket, as in its configuration (also from PINNACE_CONTROL)")
        ->capture_default_str();
    command->add_flag("--json", request->service.json, "Answer in JSON, for programs");
  }
  take->callback([request, &code] { code = report_take(*request); });
  inbound->callback([request, &code] { code = report_inbound(*request); });
}

}  // namespace pinnace::app
