// A gate's certificates and keys, from the files that its configuration names.
#pragma once

#include "app/config.hpp"
#include "gate/face.hpp"

namespace pinnace::app {

// Errors as tls::OwnCertificate::load's, and "tls.key" of a backup's file.
base::Result<std::vector<gate::Host>> load_hosts(const GateConfig& config);

// And what the gate shows with them. Errors as gate::Face::make's besides.
base::Result<gate::Face> load_face(const GateConfig& config);

}  // namespace pinnace::app
