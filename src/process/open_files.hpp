#pragma once

#include <cstdint>

#include "base/error.hpp"

namespace pinnace::process {

// Lets this process have so many descriptors open; a limit that is higher stays. Error "process.files": not
// so many are allowed, and how to allow them. As many as are allowed can be had all the same.
base::Result<> allow_open_files(std::uint64_t needed);

}  // namespace pinnace::process
