#include "process/user.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace pinnace::process {
namespace {

namespace fs = std::filesystem;

std::unexpected<base::Error> failed(const std::string& what) {
  return base::fail("process.user", fmt::format("{}: {}", what, std::strerror(errno)));
}

// What no program started from here could gain either. While this is still root: later it may not.
void empty_bounding_set() {
  for (unsigned long c = 0; ::prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; ++c)
    ::prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

base::Result<> change(const User& user) {
  if (::setgroups(0, nullptr) != 0) return failed("cannot leave the groups of root");
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return failed("cannot take the group of " + user.name);
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return failed("cannot become " + user.name);
  return {};
}

base::Error unusable(const std::string& path, const std::string& why) {
  const passwd* const own = ::getpwuid(::geteuid());
  const std::string name = own ? own->pw_name : std::to_string(::geteuid());
  return {"process.folder",
          fmt::format("{}: {} (as user {}): run  chown -R {}: {}", path, why, name, name, path)};
}

}  // namespace

base::Result<User> find_user(const std::string& name) {
  errno = 0;
  const passwd* const found = ::getpwnam(name.c_str());
  if (!found) {
    return base::fail("process.user",
                      fmt::format("there is no user {} (process.user): run  useradd --system --home-dir "
                                  "/var/lib/pinnace --shell /usr/sbin/nologin {}",
                                  name, name));
  }
  return User{name, found->pw_uid, found->pw_gid};
}

// Also where the kernel was told to keep them across a change of user (PR_SET_KEEPCAPS, securebits).
base::Result<> give_up_capabilities() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return failed("cannot give up capabilities");
  return {};
}

base::Result<> become(const User& user) {
  if (user.uid != 0) empty_bounding_set();
  if (::geteuid() == 0 && user.uid != 0) {
    if (auto changed = change(user); !changed) return changed;
  } else if (::geteuid() != user.uid) {
    return base::fail("process.user", fmt::format("only root can become {} (process.user): start it as root, "
                                                  "or as {}",
                                                  user.name, user.name));
  }
  if (user.uid == 0) return {};
  if (auto done = give_up_capabilities(); !done) return done;
  // Said and not done would be worse than not said.
  if (::setresuid(0, 0, 0) == 0 || ::geteuid() != user.uid || ::getuid() != user.uid) {
    return base::fail("process.user", "root could be had again after becoming " + user.name);
  }
  return {};
}

base::Result<> make_folder(const std::string& path, const User& owner) {
  std::error_code error;
  if (!fs::create_directories(path, error)) {
    if (!error) return {};
    return base::fail("process.folder", fmt::format("cannot make the folder {}: {}", path, error.message()));
  }
  if (::chmod(path.c_str(), 0700) != 0 || ::chown(path.c_str(), owner.uid, owner.gid) != 0) {
    return base::fail("process.folder",
                      fmt::format("cannot give {} to {}: {}", path, owner.name, std::strerror(errno)));
  }
  return {};
}

base::Result<> check_folder(const std::string& path) {
  std::error_code error;
  if (fs::create_directories(path, error)) ::chmod(path.c_str(), 0700);
  if (error) return std::unexpected(unusable(path, "cannot be made: " + error.message()));
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return std::unexpected(unusable(path, std::strerror(errno)));
  }
  // Left by a start as another user, mostly.
  auto entry = fs::recursive_directory_iterator(path, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (::access(entry->path().c_str(), R_OK | W_OK) == 0 || errno == ENOENT) continue;
    return std::unexpected(
        unusable(path, fmt::format("{} in it: {}", entry->path().filename().string(), std::strerror(errno))));
  }
  if (error) return std::unexpected(unusable(path, error.message()));
  return {};
}

}  // namespace pinnace::process
