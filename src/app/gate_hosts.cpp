#include "app/gate_hosts.hpp"

namespace pinnace::app {
namespace {

base::Result<gate::Host> load_host(const GateHost& files) {
  gate::Host host;
  host.hostname = files.hostname;
  for (std::size_t i = 0; i < files.certificates.size(); ++i) {
    auto own = tls::OwnCertificate::load(files.certificates[i], files.keys[i]);
    if (!own) return std::unexpected(own.error());
    host.certificates.push_back(std::move(*own));
  }
  for (const std::string& file : files.backup_keys) {
    const auto backup = tls::pin_of_file(file);
    if (!backup) return base::fail(backup.error().code, "backup_key: " + backup.error().detail);
    host.backups.push_back(*backup);
  }
  return host;
}

}  // namespace

base::Result<std::vector<gate::Host>> load_hosts(const GateConfig& config) {
  std::vector<gate::Host> out;
  for (const GateHost& files : config.hosts) {
    auto host = load_host(files);
    if (!host) return std::unexpected(host.error());
    out.push_back(std::move(*host));
  }
  return out;
}

base::Result<gate::Face> load_face(const GateConfig& config) {
  auto hosts = load_hosts(config);
  if (!hosts) return std::unexpected(hosts.error());
  return gate::Face::make(std::move(*hosts), config.gate.advert, config.gate.tls);
}

}  // namespace pinnace::app
