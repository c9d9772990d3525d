// Landlock (landlock(7)): the kernel holds a process to the files it named.
#pragma once

#include "process/confinement.hpp"

namespace pinnace::process {

int landlock_version();  // 0: none
base::Result<> restrict_files(const Reach& reach, int version);

}  // namespace pinnace::process
