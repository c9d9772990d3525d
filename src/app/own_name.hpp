#pragma once

#include <string>

namespace pinnace::app {

// RFC 5321 4.1.1.1: what stands behind EHLO where no configuration says it.
std::string own_name();

}  // namespace pinnace::app
