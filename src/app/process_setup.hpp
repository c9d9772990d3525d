// What a service does as a process before it serves: takes its ports, becomes its user, opens its log, and
// gives up what it will not need.
#pragma once

#include <string>
#include <vector>

#include "app/config.hpp"
#include "io/loop.hpp"
#include "process/confinement.hpp"

namespace pinnace::app {

struct ProcessNeeds {
  ProcessSettings process;
  LogSettings log;
  std::vector<io::Endpoint> listen;
  bool own_loop = false;  // it listens on another loop than the process's, and so at no port below 1024
  std::string data;       // folder; empty: none
  std::vector<std::string> folders;  // more that are written; made where they are not there
  std::string control;               // empty: none
  std::vector<std::string> files;    // read at a reload, or when a library comes to it
  std::uint64_t open_files = 0;
};

ProcessNeeds needs_of(const RelayConfig& config, const std::string& config_file);
ProcessNeeds needs_of(const GateConfig& config, const std::string& config_file);
ProcessNeeds needs_of(const PolicydConfig& config, const std::string& config_file);

// The files of these needs and of the system's libraries.
process::Reach reach_of(const ProcessNeeds& needs);

// Before any thread. Keys that only root may read are read before it. The endpoints wait in the loop for
// whoever listens.
base::Result<> set_up_process(io::Loop& loop, const ProcessNeeds& needs);

}  // namespace pinnace::app
