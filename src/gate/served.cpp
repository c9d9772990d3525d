#include "gate/served.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace pinnace::gate {
namespace {

constexpr std::string_view kBegin = "-----BEGIN PRIVATE KEY-----";

std::unexpected<base::Error> cannot(const char* what, const std::string& path) {
  return base::fail("gate.served", fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

base::Result<> write_synced(const std::string& path, std::string_view text) {
  const Descriptor out{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (out.fd < 0) return cannot("make", path);
  while (!text.empty()) {
    const ssize_t n = ::write(out.fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return cannot("write", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(out.fd) != 0) return cannot("write", path);
  return {};
}

}  // namespace

// Hostnames are canonical: no slash is in them.
std::string Served::file_of(const std::string& hostname) const { return folder_ + "/" + hostname + ".pem"; }

base::Result<std::optional<std::vector<tls::OwnCertificate>>> Served::read(
    const std::string& hostname) const {
  const std::string path = file_of(hostname);
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  if (!in) return cannot("read", path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::vector<tls::OwnCertificate> out;
  // Each is its key and the chain behind it.
  for (auto at = text.find(kBegin); at != std::string::npos;) {
    const auto next = text.find(kBegin, at + 1);
    const std::string one = text.substr(at, next == std::string::npos ? next : next - at);
    auto own = tls::OwnCertificate::from_pem(one, one, path, path);
    if (!own) return std::unexpected(own.error());
    out.push_back(std::move(*own));
    at = next;
  }
  if (out.empty()) return base::fail("gate.served", path + " holds no certificate");
  return out;
}

base::Result<> Served::keep(const Host& host) const {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make", folder_);
  std::string text;
  for (const tls::OwnCertificate& own : host.certificates) text += own.pem();
  const std::string path = file_of(host.hostname);
  if (auto done = write_synced(path + ".new", text); !done) return done;
  if (std::rename((path + ".new").c_str(), path.c_str()) != 0) return cannot("replace", path);
  const Descriptor folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return cannot("write", folder_);
  return {};
}

}  // namespace pinnace::gate
