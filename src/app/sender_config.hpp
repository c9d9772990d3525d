// What the configurations of several services have alike.
#pragma once

#include "app/config.hpp"
#include "app/toml_section.hpp"

namespace pinnace::app {

std::string read_hostname(TomlSection& s);  // canonical
LogSettings read_log(TomlFile& file);
ProcessSettings read_process(TomlFile& file);
io::PaceSettings read_pace(TomlSection& limits);

// Of a relay and of a policyd: all but how mail hosts are reached. What is wrong is reported to the file.
void read_sender(TomlFile& file, base::Time now, SenderConfig& config);
// The part of it by which names and policies are looked up: dns, tls.roots, sts.
void read_lookups(TomlFile& file, SenderConfig& config);
// How mail hosts are reached: port, source_address, connect_timeout.
void read_way(TomlSection& s, delivery::Settings& settings);

}  // namespace pinnace::app
