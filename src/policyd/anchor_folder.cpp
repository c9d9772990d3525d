#include "policyd/anchor_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.hpp"

namespace pinnace::policyd {
namespace {

namespace fs = std::filesystem;

constexpr base::Seconds kGrace = std::chrono::hours(1);  // Postfix may hold an answer a little longer
constexpr const char* kSuffix = ".pem";
constexpr const char* kUnfinished = ".new";

std::unexpected<base::Error> failed(const std::string& path) {
  return base::fail("policyd.anchors", fmt::format("cannot write {}: {}", path, std::strerror(errno)));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

base::Result<> write_file(const std::string& path, const std::string& text) {
  const std::string unfinished = path + kUnfinished;
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return failed(unfinished);
  // Whatever the umask is: Postfix's user reads it.
  const bool written = ::fchmod(fd, 0644) == 0 && write_all(fd, text) && ::fsync(fd) == 0;
  const int why = errno;
  ::close(fd);
  errno = why;
  if (!written || ::rename(unfinished.c_str(), path.c_str()) != 0) {
    auto result = failed(path);
    ::unlink(unfinished.c_str());
    return result;
  }
  return {};
}

base::Result<> write_files(const std::string& folder, const std::vector<postfix::AnchorFile>& files) {
  for (const postfix::AnchorFile& file : files) {
    if (auto done = write_file(file.path, file.pem); !done) return done;
  }
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(folder);
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) return failed(folder);
  return {};
}

}  // namespace

base::Result<> AnchorFolder::open(base::Time now) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error || ::chmod(folder_.c_str(), 0755) != 0) {
    return base::fail("policyd.anchors", fmt::format("cannot make the folder {}: {}", folder_,
                                                     error ? error.message() : std::strerror(errno)));
  }
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string path = entry.path().string();
    if (path.ends_with(kUnfinished)) ::unlink(path.c_str());
    if (path.ends_with(kSuffix)) needed_[entry.path().filename().string()] = now;
  }
  return {};
}

std::string AnchorFolder::place(const std::string& path) const {
  return folder_ + "/" + fs::path(path).filename().string();
}

io::Task<base::Result<>> AnchorFolder::write(std::vector<postfix::AnchorFile> files, base::Time until) {
  for (postfix::AnchorFile& file : files) {
    file.path = place(file.path);
    // Before it is there, so that no cleaning comes between.
    base::Time& needed = needed_[fs::path(file.path).filename().string()];
    needed = std::max(needed, until);
  }
  // A name is the digest of what is in it: one that is there is right.
  std::erase_if(files, [](const auto& file) { return ::access(file.path.c_str(), R_OK) == 0; });
  if (files.empty()) co_return base::Result<>{};
  auto job = [folder = folder_, files = std::move(files)] { return write_files(folder, files); };
  auto done = co_await worker_.run(std::move(job));
  co_return done;
}

bool AnchorFolder::keep(const std::vector<std::string>& paths, base::Time until) {
  return std::all_of(paths.begin(), paths.end(), [&](const std::string& path) {
    if (::access(place(path).c_str(), R_OK) != 0) return false;
    base::Time& needed = needed_[fs::path(path).filename().string()];
    needed = std::max(needed, until);
    return true;
  });
}

void AnchorFolder::clean(base::Time now) {
  std::vector<std::string> over;
  for (const auto& [name, until] : needed_) {
    if (until + kGrace <= now) over.push_back(name);
  }
  for (const std::string& name : over) {
    if (name.ends_with(kSuffix)) ::unlink(place(name).c_str());
    needed_.erase(name);
  }
  if (!over.empty()) base::log_debug("anchors_removed", {{"files", std::to_string(over.size())}});
}

}  // namespace pinnace::policyd
