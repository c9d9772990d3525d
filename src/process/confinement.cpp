#include "process/confinement.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <cerrno>
#include <cstring>

#include "process/landlock.hpp"
#include "process/system_calls.hpp"

namespace pinnace::process {

std::string Confinement::str() const {
  std::string out = no_new_privileges ? "no_new_privs" : "";
  if (landlock > 0) out += fmt::format("{}landlock={}", out.empty() ? "" : " ", landlock);
  if (seccomp) out += out.empty() ? "seccomp" : " seccomp";
  return out.empty() ? "none" : out;
}

Confinement available() { return {true, landlock_version(), has_system_call_filter()}; }

base::Result<> forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return {};
  return base::fail("process.confinement", fmt::format("no_new_privs: {}", std::strerror(errno)));
}

base::Result<Confinement> confine(const Reach& reach) {
  if (auto done = forbid_new_privileges(); !done) return std::unexpected(done.error());
  const Confinement out = available();
  if (out.landlock > 0) {
    if (auto done = restrict_files(reach, out.landlock); !done) return std::unexpected(done.error());
  }
  if (out.seccomp) {
    if (auto done = filter_system_calls(); !done) return std::unexpected(done.error());
  }
  return out;
}

}  // namespace pinnace::process
