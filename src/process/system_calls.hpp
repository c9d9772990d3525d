// A seccomp filter: system calls that a mail service never makes, and an intruder in it would.
#pragma once

#include "base/error.hpp"

namespace pinnace::process {

bool has_system_call_filter();
// They fail with EPERM from now on, in every thread. What libraries may try and do without is among them,
// so nothing is killed for it. Calls of another architecture kill.
base::Result<> filter_system_calls();

}  // namespace pinnace::process
