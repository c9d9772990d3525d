// What a running gate says of itself.
#pragma once

#include <boost/json.hpp>

#include "base/error.hpp"
#include "gate/gate.hpp"

namespace pinnace::app {

boost::json::array backends_json(const gate::Gate& gate);

// {"senders": [{"domain", "messages", ...}], "others": {...}}; of the request, "most": how many.
base::Result<boost::json::value> senders_json(const gate::Gate& gate, const boost::json::object& request);

}  // namespace pinnace::app
