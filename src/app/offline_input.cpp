#include "app/offline_input.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/answer.hpp"

namespace pinnace::app {

int usage(const std::string& what) {
  std::fprintf(stderr, "pinnace: %s\n", printable(what).c_str());
  return kUsage;
}

namespace {

std::string why_unreadable(const std::string& path, int error) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return path + ": is a directory: name a file";
  return path + ": cannot be read" + (error != 0 ? std::string(": ") + std::strerror(error) : "") +
         ": name a file that you may read, or - for standard input";
}

}  // namespace

base::Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kMost = 16 << 20;
  std::ifstream file;
  errno = 0;
  if (path != "-") file.open(path, std::ios::binary);
  // Standard input may be a socket, which /dev/stdin would not open.
  std::istream& in = path == "-" ? std::cin : file;
  if (!in) return base::fail("app.file", why_unreadable(path, errno));
  std::string text;
  char buffer[1 << 16];
  while (in.read(buffer, sizeof buffer), in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMost) return base::fail("app.file", path + ": is larger than 16 MiB");
  }
  if (in.bad()) return base::fail("app.file", why_unreadable(path, errno));
  return text;
}

base::Result<tls::PeerChain> read_chain(const std::string& path) {
  auto pem = read_file(path);
  if (!pem) return std::unexpected(pem.error());
  auto chain = tls::PeerChain::from_pem(*pem);
  if (!chain) return base::fail(chain.error().code, path + ": " + chain.error().detail);
  return chain;
}

base::Result<tls::TrustStore> read_roots(const std::string& path) {
  if (path.empty()) return tls::TrustStore::system();
  const auto pem = read_file(path);
  if (!pem) return std::unexpected(pem.error());
  auto roots = tls::TrustStore::from_pem(*pem);
  if (!roots) return base::fail(roots.error().code, path + ": " + roots.error().detail);
  return roots;
}

base::Result<base::Time> read_time(const std::string& text) {
  if (text.empty()) return base::SystemClock().now();
  const auto time = base::parse_time(text);
  if (!time) return base::fail("app.usage", "--time: " + time.error().detail);
  return *time;
}

}  // namespace pinnace::app
