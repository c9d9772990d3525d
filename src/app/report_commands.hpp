// `pinnace report take|inbound`: TLS reports about our own domains.
#pragma once

#include <CLI/CLI.hpp>

namespace pinnace::app {

void add_report_commands(CLI::App& root, int& code);

}  // namespace pinnace::app
