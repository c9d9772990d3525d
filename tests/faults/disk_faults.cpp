// A disk that fails, laid under a program by LD_PRELOAD.
//
// PINNACE_FAULTS_UNDER names the folder whose files it is for. PINNACE_FAULTS names a folder with two
// files: `order`, one octet that says what is wrong from now on, and `synced`, to which a line "inode
// size" is added for each file that is made (size 0) and for each sync that was done. Whoever cuts all
// files back to those sizes has what a power cut may leave.
//
//   order   what the disk does
//   n       all is well
//   e       every sync fails with EIO, and nothing is synced
//   f       it is full: a write takes half, the next fails with ENOSPC
//   s       a write takes a part only, as write(2) may
//   d       a write takes two seconds
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

// Bound when first called: RocksDB writes before our own start may be over.
template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

using Open = int (*)(const char*, int, mode_t);
using Write = ssize_t (*)(int, const void*, size_t);
using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);
using Sync = int (*)(int);

int open_file(const std::string& path, int flags) {
  static const auto call = real<Open>("open");
  return call(path.c_str(), flags | O_CLOEXEC, 0600);
}

struct Disk {
  std::string under;
  const volatile char* order = nullptr;
  int synced = -1;
  std::atomic<unsigned> writes{0};

  Disk() {
    const char* const folder = std::getenv("PINNACE_FAULTS");
    const char* const files = std::getenv("PINNACE_FAULTS_UNDER");
    if (!folder || !files) return;
    under = files;
    synced = open_file(std::string(folder) + "/synced", O_WRONLY | O_APPEND | O_CREAT);
    const int file = open_file(std::string(folder) + "/order", O_RDONLY);
    void* const seen = file < 0 ? MAP_FAILED : ::mmap(nullptr, 1, PROT_READ, MAP_SHARED, file, 0);
    if (synced < 0 || seen == MAP_FAILED) {
      std::fprintf(stderr, "disk_faults: cannot use %s\n", folder);
      std::_Exit(1);
    }
    order = static_cast<const volatile char*>(seen);
  }

  bool has(int fd) const {
    if (under.empty()) return false;
    char link[64];
    char path[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = ::readlink(link, path, sizeof path);
    return n > 0 && static_cast<size_t>(n) > under.size() &&
           under.compare(0, under.size(), path, under.size()) == 0;
  }
  char wrong(int fd) const { return order && *order != 'n' && has(fd) ? *order : 'n'; }

  void note(const struct stat& file, off_t size) const {
    static const auto call = real<Write>("write");
    char line[64];
    const int n = std::snprintf(line, sizeof line, "%llu %lld\n",
                                static_cast<unsigned long long>(file.st_ino), static_cast<long long>(size));
    if (call(synced, line, static_cast<size_t>(n)) != n) std::_Exit(1);
  }
  void note_made(int fd) const {
    struct stat file{};
    if (fd >= 0 && has(fd) && ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size == 0)
      note(file, 0);
  }
};

Disk& disk() {
  static Disk the;
  return the;
}

// What a write may take of `size`; nothing: ENOSPC.
size_t taken(int fd, size_t size) {
  const char wrong = disk().wrong(fd);
  if (wrong == 'd') ::sleep(2);
  if (wrong != 'f' && wrong != 's') return size;
  const unsigned n = disk().writes++;
  if (wrong == 's') return size > 1 ? 1 + n * 7919 % (size - 1) : size;
  return n % 2 == 0 ? size / 2 : 0;
}

template <class Call>
int sync(int fd, Call call) {
  if (disk().wrong(fd) == 'e') {
    errno = EIO;
    return -1;
  }
  // What is written meanwhile may be missing.
  struct stat file{};
  const bool regular = disk().has(fd) && ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
  const int done = call();
  if (done == 0 && regular) disk().note(file, file.st_size);
  return done;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  static const auto call = real<Open>("open");
  const int fd = call(path, flags, mode);
  if (flags & O_CREAT) disk().note_made(fd);
  return fd;
}

ssize_t write(int fd, const void* from, size_t size) {
  static const auto call = real<Write>("write");
  const size_t most = taken(fd, size);
  if (most > 0 || size == 0) return call(fd, from, most);
  errno = ENOSPC;
  return -1;
}

ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  static const auto call = real<Pwrite>("pwrite");
  const size_t most = taken(fd, size);
  if (most > 0 || size == 0) return call(fd, from, most, at);
  errno = ENOSPC;
  return -1;
}

int fsync(int fd) {
  static const auto call = real<Sync>("fsync");
  return sync(fd, [fd] { return call(fd); });
}

int fdatasync(int fd) {
  static const auto call = real<Sync>("fdatasync");
  return sync(fd, [fd] { return call(fd); });
}

// It promises nothing, so it is not noted. Without a flag it only asks whether the call is there.
int sync_file_range(int fd, off64_t from, off64_t size, unsigned flags) {
  static const auto call = real<int (*)(int, off64_t, off64_t, unsigned)>("sync_file_range");
  if (flags == 0 || disk().wrong(fd) != 'e') return call(fd, from, size, flags);
  errno = EIO;
  return -1;
}

}  // extern "C"
