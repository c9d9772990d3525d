// Where the operator sends a domain's mail in place of its MX: [[route]] (docs/configuration.md).
#pragma once

#include "app/toml_section.hpp"
#include "discovery/next_hops.hpp"

namespace pinnace::app {

// What is wrong is reported to the file.
discovery::FixedRoutes read_routes(TomlFile& file);

}  // namespace pinnace::app
