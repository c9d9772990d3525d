// What `--check` of a service looks at besides its configuration: is all of it usable, here and now? Nothing
// is started, made or changed.
#pragma once

#include <vector>

#include "app/process_setup.hpp"

namespace pinnace::app {

// Becomes the service's user on the way, as its start does: what follows is looked at as that user. `read`:
// files that the service reads as it.
void check_process(const ProcessNeeds& needs, const std::vector<std::string>& read,
                   std::vector<base::Error>& faults);

// Prints that all is well, or each fault; gives the exit code, 0 or 1.
int report_check(const std::string& config_file, const std::vector<base::Error>& faults);

}  // namespace pinnace::app
