// The operator's rules as a configuration has them: [[rule]] (docs/configuration.md).
#pragma once

#include "app/toml_section.hpp"
#include "policy/rule.hpp"

namespace pinnace::app {

// What is wrong is reported to the file. A waiver that is over at `now` is wrong: it is renewed, or goes.
policy::RuleBook read_rules(TomlFile& file, base::Time now);

}  // namespace pinnace::app
