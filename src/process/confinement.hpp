// What a service gives up once it has started: new privileges (always), files it has no business with
// (Landlock, where the kernel has it), and system calls that only an intruder would make (seccomp).
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace pinnace::process {

// What may still be reached, each with all below it. Paths that are not there are left out.
struct Reach {
  std::vector<std::string> read;
  std::vector<std::string> write;  // and read, made and removed
};

struct Confinement {
  bool no_new_privileges = false;
  int landlock = 0;  // the ABI's version; 0: the kernel has none
  bool seccomp = false;
  std::string str() const;  // "no_new_privs landlock=7 seccomp"
};

// What this kernel offers.
Confinement available();

base::Result<> forbid_new_privileges();

// Binds this thread and those it starts: before any other. Error "process.confinement": what the kernel
// offers could not be had.
base::Result<Confinement> confine(const Reach& reach);

}  // namespace pinnace::process
