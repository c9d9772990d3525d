// The operator's commands about a gate.
#pragma once

#include <CLI/CLI.hpp>

namespace pinnace::app {

// `pinnace gate reload`, `gate ledger`, `gate status`.
void add_gate_commands(CLI::App& gate, int& code);
// `pinnace pins ledger show`, `rebuild`.
void add_ledger_commands(CLI::App& pins, int& code);

}  // namespace pinnace::app
