#include "process/system_calls.hpp"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace pinnace::process {
namespace {

constexpr const char* kDenied[] = {
    // another program, another process
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    // file systems, and names for what has none
    "mount",
    "umount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "swapon",
    "swapoff",
    "quotactl",
    "quotactl_fd",
    "open_by_handle_at",
    "name_to_handle_at",
    "fanotify_init",
    "mknod",
    "mknodat",
    // namespaces and users
    "unshare",
    "setns",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    // the kernel itself, and doors to it that were too often open
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "bpf",
    "userfaultfd",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "lookup_dcookie",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "vm86",
    "vm86old",
    "modify_ldt",
    "iopl",
    "ioperm",
    "personality",
    "migrate_pages",
    "move_pages",
    "syslog",
    "acct",
    // the machine
    "reboot",
    "settimeofday",
    "clock_settime",
    "clock_settime64",
    "stime",
    "adjtimex",
    "clock_adjtime",
    "clock_adjtime64",
    "sethostname",
    "setdomainname",
    "vhangup",
};

// Under sanitizers the leak check at the end attaches to the process.
constexpr bool kTraced =
#if defined(__SANITIZE_ADDRESS__)
    true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    true;
#else
    false;
#endif
#else
    false;
#endif

struct Release {
  void operator()(void* filter) const { ::seccomp_release(filter); }
};

// Less one that this kernel's architecture does not have.
bool deny(void* filter, const char* name) {
  if (kTraced && std::string_view(name) == "ptrace") return true;
  const int number = ::seccomp_syscall_resolve_name(name);
  return number < 0 || ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) == 0;
}

bool deny_if(void* filter, int number, scmp_arg_cmp argument) {
  return ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), number, 1, &argument) == 0;
}

bool deny_arguments(void* filter) {
  bool good = true;
  // Sockets are UNIX, IPv4, IPv6, and netlink, by which libc learns of interfaces.
  for (unsigned family = AF_UNIX + 1; family < AF_NETLINK; ++family) {
    if (family == AF_INET || family == AF_INET6) continue;
    good &= deny_if(filter, SCMP_SYS(socket), {0, SCMP_CMP_EQ, family, 0});
  }
  good &= deny_if(filter, SCMP_SYS(socket), {0, SCMP_CMP_GT, AF_NETLINK, 0});
  // Keys for a terminal that somebody reads. The kernel looks at the lower half only.
  good &= deny_if(filter, SCMP_SYS(ioctl), {1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI});
  good &= deny_if(filter, SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER});
  // Its flags lie in memory, where no filter looks; libc takes clone instead.
  return good && ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

}  // namespace

bool has_system_call_filter() {
  const unsigned action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

base::Result<> filter_system_calls() {
  const std::unique_ptr<void, Release> filter(::seccomp_init(SCMP_ACT_ALLOW));
  bool good = filter && ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0;
  for (const char* name : kDenied) good = good && deny(filter.get(), name);
  good = good && deny_arguments(filter.get());
  const int loaded = good ? ::seccomp_load(filter.get()) : -EINVAL;
  if (loaded == 0) return {};
  return base::fail("process.confinement",
                    fmt::format("the system call filter: {} (process.sandbox = \"off\" does without)",
                                std::strerror(-loaded)));
}

}  // namespace pinnace::process
