// A gate's ledgers for commands: from the gate where it runs, else from its store.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "base/error.hpp"

namespace pinnace::app {

// As ledgers_json() has them. With `rebuild` they are rebuilt before (gate::Keeping::rebuild). Errors: the
// configuration's, the store's, "gate.ledger" where none is kept.
base::Result<boost::json::value> ledger_of(const std::string& config_file, bool rebuild);

}  // namespace pinnace::app
