#include "app/publish_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pinnace::app {
namespace {

std::unexpected<base::Error> failed(const std::string& path) {
  return base::fail("app.file", fmt::format("cannot write {}: {}", path, std::strerror(errno)));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  // Whatever the umask is: a web server reads it.
  return ::fchmod(fd, 0644) == 0 && ::fsync(fd) == 0;
}

}  // namespace

base::Result<> write_public_file(const std::string& path, const std::string& text) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error)
    return base::fail("app.file", fmt::format("cannot make {}: {}", folder.string(), error.message()));
  // Beside it and of another name: nobody finds half of it under its own.
  std::string unfinished = path + ".XXXXXX";
  const int fd = ::mkstemp(unfinished.data());
  if (fd < 0) return failed(path);
  const bool written = write_all(fd, text);
  const int why = errno;
  ::close(fd);
  errno = why;
  if (!written || ::rename(unfinished.c_str(), path.c_str()) != 0) {
    auto result = failed(path);
    ::unlink(unfinished.c_str());
    return result;
  }
  // The name lasts once its folder is on the disk.
  const int above = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (above < 0) return failed(path);
  const bool synced = ::fsync(above) == 0;
  ::close(above);
  if (!synced) return failed(path);
  return {};
}

}  // namespace pinnace::app
