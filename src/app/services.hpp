// The services: each wires its objects and runs until it is told to stop.
#pragma once

#include <string>

namespace pinnace::app {

// All return the process's exit code: 0 after an orderly stop, 1 where it could not start (and say why).
int run_relay(const std::string& config_file);
int run_gate(const std::string& config_file, bool break_promises);
// An empty `config_file`: /etc/pinnace/policyd.toml where there is one, else what holds without.
int run_policyd(const std::string& config_file);

// Could it be started, here and now? Nothing is; says each fault. 0: it could, 1: it could not.
int check_relay(const std::string& config_file);
int check_gate(const std::string& config_file);
int check_policyd(const std::string& config_file);

}  // namespace pinnace::app
