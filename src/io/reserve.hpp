#pragma once

#include "io/address.hpp"
#include "io/loop.hpp"

namespace pinnace::io {

// Takes the endpoint now for a Listener::bind() to come: a port below 1024 needs privileges that are given
// up before. A UNIX socket needs none, and is left to bind(). Error "io.listen".
base::Result<> reserve(Loop& loop, const Endpoint& at);

}  // namespace pinnace::io
