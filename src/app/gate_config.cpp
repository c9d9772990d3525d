// What a gate's configuration says.
#include <algorithm>

#include "app/config.hpp"
#include "app/listeners_config.hpp"
#include "app/publish_config.hpp"
#include "app/sender_config.hpp"
#include "app/toml_section.hpp"

namespace pinnace::app {
namespace {

GateHost read_host(TomlSection& s) {
  GateHost host;
  host.hostname = read_hostname(s);
  host.certificates = s.one_or_more("certificate");
  host.keys = s.one_or_more("key");
  host.backup_keys = s.one_or_more("backup_key");
  if (host.certificates.size() != host.keys.size())
    s.problem("key", "one for each certificate is expected, in their order");
  return host;
}

void read_hosts(TomlSection& gate, GateConfig& c) {
  c.hosts.push_back(read_host(gate));
  for (TomlSection& s : gate.sections("host")) {
    GateHost host = read_host(s);
    const auto same = [&](const GateHost& h) { return h.hostname == host.hostname; };
    if (std::ranges::any_of(c.hosts, same)) s.problem("hostname", "another host has this name already");
    c.hosts.push_back(std::move(host));
  }
  c.gate.hostname = c.hosts.front().hostname;
}

void read_advert(TomlFile& file, gate::AdvertSettings& advert) {
  TomlSection s = file.section("gate.advert");
  advert.max_age = s.duration("max_age", std::chrono::days(60));
  advert.scope = static_cast<pins::Scope>(s.choice("scope", {"HOST", "DOMAIN"}, 0));
  advert.mode = static_cast<pins::Mode>(s.choice("mode", {"ENFORCE", "REPORT"}, 0));
  advert.rua = s.text("rua", "");
  advert.stsec_max_age = s.duration("stsec_max_age", base::Seconds(0));
}

void read_backend(TomlSection& s, gate::Settings& gate) {
  const std::string backend = s.required_text("backend");
  if (auto e = io::Endpoint::parse(backend)) {
    gate.backend = *e;
  } else if (!backend.empty()) {
    s.problem("backend", e.error().detail);
  }
  gate.client_address =
      static_cast<gate::ClientAddress>(s.choice("client_address", {"none", "xclient", "proxy-v2"}, 0));
}

void read_limits(TomlFile& file, gate::Settings& gate) {
  TomlSection s = file.section("limits");
  gate.max_sessions = static_cast<std::size_t>(s.integer("max_sessions", 1000, 1, 100000));
  gate.max_sessions_per_client =
      static_cast<std::size_t>(s.integer("max_sessions_per_client", 50, 1, 100000));
  gate.pace = read_pace(s);
  gate.command_timeout = s.duration("command_timeout", std::chrono::minutes(5));
}

}  // namespace

base::Result<GateConfig> load_gate_config(const std::string& path) {
  auto file = TomlFile::load(path);
  if (!file) return std::unexpected(file.error());
  GateConfig c;
  TomlSection s = file->section("gate");
  if (!s.exists()) return base::fail("config.value", path + ": a section [gate] is expected");
  read_hosts(s, c);
  c.gate.listen = read_endpoints(s, "listen", true);
  read_backend(s, c.gate);
  c.control = s.text("control", "");
  read_advert(*file, c.gate.advert);
  read_limits(*file, c.gate);
  c.domains = read_domains(s, c);
  read_lookups(*file, c.lookups);
  c.log = read_log(*file);
  c.process = read_process(*file);
  if (auto done = file->finish(); !done) return std::unexpected(done.error());
  return c;
}

}  // namespace pinnace::app
