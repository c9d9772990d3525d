// `pinnace gate senders`: how mail comes in, by sender domain.
#pragma once

#include <CLI/CLI.hpp>

namespace pinnace::app {

void add_senders_command(CLI::App& gate, int& code);

}  // namespace pinnace::app
