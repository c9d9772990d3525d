#include "process/confinement.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_alg.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "process/child_fixture.hpp"

namespace pinnace::process {
namespace {

namespace fs = std::filesystem;

class Confined : public testing::Test {
 protected:
  void SetUp() override {
    std::string made = (fs::temp_directory_path() / "pinnace_confined_XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder_ = made;
    for (const char* name : {"read", "write", "other"}) {
      fs::create_directory(path(name));
      std::ofstream(path(name) + "/file") << "x";
    }
  }
  ~Confined() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Reach reach() const { return {{path("read"), path("absent")}, {path("write")}}; }
  fs::path folder_;
};

// The error number that a call gave, 0 for none.
int error_of(long result) { return result < 0 ? errno : 0; }
int opening(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  const int error = error_of(fd);
  if (fd >= 0) ::close(fd);
  return error;
}

struct Attempt {
  const char* what;
  int error;
  int expected;
};

std::string breaches(const std::vector<Attempt>& attempts) {
  std::string out;
  for (const Attempt& a : attempts) {
    if (a.error != a.expected)
      out += std::string(a.what) + " gave " + std::to_string(a.error) + ", not " +
             std::to_string(a.expected) + "; ";
  }
  return out;
}

TEST_F(Confined, ReachesTheFilesItNamedAndNoOthers) {
  if (available().landlock == 0) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ("", in_child([this]() -> std::string {
              if (auto done = confine(reach()); !done) return done.error().detail;
              return breaches({
                  {"reading what may be read", opening(path("read/file"), O_RDONLY), 0},
                  {"writing what may be read", opening(path("read/file"), O_WRONLY), EACCES},
                  {"making a file there", opening(path("read/new"), O_WRONLY | O_CREAT), EACCES},
                  {"removing one there", error_of(::unlink(path("read/file").c_str())), EACCES},
                  {"writing what may be written", opening(path("write/file"), O_RDWR | O_TRUNC), 0},
                  {"making a file", opening(path("write/new"), O_WRONLY | O_CREAT), 0},
                  {"making a folder", error_of(::mkdir(path("write/folder").c_str(), 0700)), 0},
                  {"moving one",
                   error_of(::rename(path("write/new").c_str(), path("write/folder/new").c_str())), 0},
                  {"removing one", error_of(::unlink(path("write/folder/new").c_str())), 0},
                  {"a link out", error_of(::symlink("/etc", path("write/link").c_str())), EACCES},
                  {"a device", error_of(::mkfifo(path("write/fifo").c_str(), 0600)),
                   available().seccomp ? EPERM : EACCES},
                  {"reading another file", opening(path("other/file"), O_RDONLY), EACCES},
                  {"a way around", opening(path("write/../other/file"), O_RDONLY), EACCES},
                  {"the system's secrets", opening("/etc/shadow", O_RDONLY), EACCES},
              });
            }));
}

TEST_F(Confined, MakesNoCallOfAnIntruders) {
  if (!available().seccomp) GTEST_SKIP() << "this kernel filters no system calls";
  EXPECT_EQ("", in_child([this]() -> std::string {
              if (auto done = confine(reach()); !done) return done.error().detail;
              char* const arguments[] = {const_cast<char*>("true"), nullptr};
              return breaches({
                  {"another program", error_of(::execve("/bin/true", arguments, nullptr)), EPERM},
                  {"another by descriptor",
                   error_of(::syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, nullptr, 0)), EPERM},
                  {"a mount", error_of(::mount("none", "/mnt", "tmpfs", 0, nullptr)), EPERM},
                  {"a namespace", error_of(::unshare(CLONE_NEWUSER)), EPERM},
                  {"a process's memory", error_of(::syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)), EPERM},
                  {"the keyring", error_of(::syscall(SYS_keyctl, 0, 0, 0, 0, 0)), EPERM},
                  {"bpf", error_of(::syscall(SYS_bpf, 0, nullptr, 0)), EPERM},
                  {"userfaultfd", error_of(::syscall(SYS_userfaultfd, 0)), EPERM},
                  {"io_uring", error_of(::syscall(SYS_io_uring_setup, 1, nullptr)), EPERM},
                  {"a module", error_of(::syscall(SYS_init_module, nullptr, 0, nullptr)), EPERM},
                  {"another user", error_of(::syscall(SYS_setuid, 1)), EPERM},
                  {"a packet socket", error_of(::socket(AF_PACKET, SOCK_RAW, 0)), EPERM},
                  {"a kernel crypto socket", error_of(::socket(AF_ALG, SOCK_SEQPACKET, 0)), EPERM},
                  {"a socket", error_of(::socket(AF_INET6, SOCK_STREAM, 0)) == EPERM, 0},
                  {"a UNIX socket", error_of(::socket(AF_UNIX, SOCK_STREAM, 0)), 0},
              });
            }));
}

TEST_F(Confined, StillStartsThreadsWhichAreBoundToo) {
  EXPECT_EQ("", in_child([this]() -> std::string {
              if (auto done = confine(reach()); !done) return done.error().detail;
              std::vector<Attempt> attempts;
              std::thread([&attempts] {
                const Confinement has = available();
                if (has.seccomp) attempts.push_back({"unshare", error_of(::unshare(CLONE_NEWNS)), EPERM});
                if (has.landlock > 0)
                  attempts.push_back({"a secret", opening("/etc/passwd", O_RDONLY), EACCES});
              }).join();
              return breaches(attempts);
            }));
}

TEST_F(Confined, SaysWhatIsInForce) {
  const std::string said = in_child([this]() -> std::string {
    const auto done = confine(reach());
    if (!done) return done.error().detail;
    std::ifstream status("/proc/self/status");
    return status ? "a file nobody named" : done->str();
  });
  EXPECT_EQ(said, available().str());
  EXPECT_EQ((Confinement{true, 0, true}.str()), "no_new_privs seccomp");
  EXPECT_EQ((Confinement{false, 3, true}.str()), "landlock=3 seccomp");
}

}  // namespace
}  // namespace pinnace::process
