#include "app/offline_input.hpp"

#include <cstdio>
#include <fstream>

namespace pinnace::app {

int usage(const std::string& what) {
  std::fprintf(stderr, "pinnace: %s\n", what.c_str());
  return kUsage;
}

base::Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kMost = 16 << 20;
  std::ifstream in(path == "-" ? "/dev/stdin" : path, std::ios::binary);
  if (!in) return base::fail("app.file", path + ": cannot be read");
  std::string text;
  char buffer[1 << 16];
  while (in.read(buffer, sizeof buffer), in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMost) return base::fail("app.file", path + ": is larger than 16 MiB");
  }
  if (in.bad()) return base::fail("app.file", path + ": cannot be read");
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
  return tls::TrustStore::load(path);
}

base::Result<base::Time> read_time(const std::string& text) {
  if (text.empty()) return base::SystemClock().now();
  const auto time = base::parse_time(text);
  if (!time) return base::fail("app.usage", "--time: " + time.error().detail);
  return *time;
}

}  // namespace pinnace::app
