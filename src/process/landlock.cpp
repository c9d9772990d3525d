#include "process/landlock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pinnace::process {
namespace {

// Newer than Debian 12's headers: landlock(7).
constexpr std::uint64_t kTruncate = 1ULL << 14;     // version 3
constexpr std::uint64_t kDeviceIoctl = 1ULL << 15;  // version 5
constexpr std::uint64_t kScopes = 3;                // version 6: abstract UNIX sockets, signals
struct Ruleset {
  std::uint64_t files;
  std::uint64_t net;
  std::uint64_t scoped;
};

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
// No devices, and nothing to execute.
constexpr std::uint64_t kWrite = kWriteFile | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER;

// All that this version can forbid.
std::uint64_t handled(int version) {
  std::uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  if (version >= 2) all |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) all |= kTruncate;
  if (version >= 5) all |= kDeviceIoctl;
  return all;
}

std::unexpected<base::Error> failed(const std::string& what) {
  return base::fail(
      "process.confinement",
      fmt::format("Landlock, {}: {} (process.sandbox = \"off\" does without)", what, std::strerror(errno)));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

base::Result<> allow(int ruleset, const std::string& path, std::uint64_t access) {
  const Descriptor at{::open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (at.fd < 0) return {};  // what cannot be reached needs no leave
  struct stat info{};
  if (::fstat(at.fd, &info) != 0) return failed(path);
  if (!S_ISDIR(info.st_mode)) access &= kReadFile | kWriteFile;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = at.fd;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return failed(path);
  }
  return {};
}

}  // namespace

int landlock_version() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

base::Result<> restrict_files(const Reach& reach, int version) {
  const std::uint64_t all = handled(version);
  const Ruleset attributes{all, 0, version >= 6 ? kScopes : 0};
  const std::size_t size = version >= 6 ? sizeof(Ruleset) : sizeof(std::uint64_t);
  const Descriptor ruleset{static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0))};
  if (ruleset.fd < 0) return failed("the rules");
  for (const std::string& path : reach.read) {
    if (auto done = allow(ruleset.fd, path, kRead & all); !done) return done;
  }
  for (const std::string& path : reach.write) {
    if (auto done = allow(ruleset.fd, path, (kRead | kWrite) & all); !done) return done;
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.fd, 0) != 0) return failed("the process");
  return {};
}

}  // namespace pinnace::process
