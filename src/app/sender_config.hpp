// What the configurations of a relay and of a policyd have alike.
#pragma once

#include "app/config.hpp"
#include "app/toml_section.hpp"

namespace pinnace::app {

// All but how mail hosts are reached. What is wrong is reported to the file.
void read_sender(TomlFile& file, base::Time now, SenderConfig& config);
// How mail hosts are reached: port, source_address, connect_timeout.
void read_way(TomlSection& s, delivery::Settings& settings);

}  // namespace pinnace::app
