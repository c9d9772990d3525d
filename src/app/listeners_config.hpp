// The relay's listeners: `relay.listen`, and each [[listener]].
#pragma once

#include "app/config.hpp"
#include "app/toml_section.hpp"

namespace pinnace::app {

std::vector<io::Endpoint> read_endpoints(TomlSection& s, const std::string& key, bool required);
std::vector<io::Network> read_networks(TomlSection& s, const std::string& key, bool required);

// Behind the limits and delivery's settings, which hold where a listener says nothing else. What is wrong is
// reported to the file.
void read_listeners(TomlFile& file, TomlSection& relay, RelayConfig& config);

}  // namespace pinnace::app
