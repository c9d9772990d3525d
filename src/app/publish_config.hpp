// What a gate's configuration says is to be published: [[gate.domain]], and the keys in its files.
#pragma once

#include <vector>

#include "app/config.hpp"
#include "app/toml_section.hpp"
#include "publish/settings.hpp"

namespace pinnace::app {

// `gate` is the section [gate]; of `config` the host's name, scope and lifetime are read already.
std::vector<publish::Domain> read_domains(TomlSection& gate, const GateConfig& config);

// With the keys of the configuration's files, of which only public parts are used. Errors "tls.key",
// "tls.permission" name the file.
base::Result<publish::Settings> to_publish(const GateConfig& config);

}  // namespace pinnace::app
