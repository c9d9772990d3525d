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

std::vector<base::Seconds> read_ramp(TomlSection& s) {
  std::vector<base::Seconds> out;
  std::vector<std::string> steps = {"1d", "7d", "60d"};
  if (s.has("ramp")) steps = s.texts("ramp", false);
  for (const std::string& text : steps) {
    const auto step = base::parse_duration(text);
    if (!step || *step < base::Seconds(1) || (!out.empty() && *step < out.back())) {
      s.problem("ramp", "durations from 1s on are expected, each as long as the one before it or longer");
      break;
    }
    out.push_back(*step);
  }
  return out;
}

void read_advert(TomlFile& file, GateConfig& c) {
  gate::AdvertSettings& advert = c.gate.advert;
  TomlSection s = file.section("gate.advert");
  advert.max_age = s.duration("max_age", std::chrono::days(60));
  c.schedule.max_age = advert.max_age;
  c.schedule.ramp = read_ramp(s);
  advert.scope = static_cast<pins::Scope>(s.choice("scope", {"HOST", "DOMAIN"}, 0));
  // Without a ledger nobody knows which week is the first.
  const std::size_t mode = s.choice("mode", {"auto", "ENFORCE", "REPORT"}, 0);
  advert.mode = mode == 2 ? pins::Mode::report : pins::Mode::enforce;
  if (mode != 0) c.schedule.mode = advert.mode;
  advert.rua = s.text("rua", "");
  advert.stsec_max_age = s.duration("stsec_max_age", base::Seconds(0));
}

void read_backend(TomlSection& s, gate::Settings& gate) {
  gate::BackendSettings& b = gate.backend;
  b.hostname = gate.hostname;
  for (const std::string& text : s.one_or_more("backend")) {
    if (const auto e = io::Endpoint::parse(text)) {
      b.endpoints.push_back(*e);
    } else {
      s.problem("backend", e.error().detail);
    }
  }
  b.protocol = static_cast<gate::BackendProtocol>(s.choice("backend_protocol", {"smtp", "lmtp"}, 0));
  b.tls = static_cast<gate::BackendTls>(s.choice("backend_tls", {"none", "starttls", "tls"}, 0));
  for (const std::string& text : s.texts("backend_pins", false)) {
    if (const auto pin = pins::Pin::parse(text)) {
      b.pins.push_back(*pin);
    } else {
      s.problem("backend_pins", "the SHA-256 of a key in base64 is expected, not " + text);
    }
  }
  if ((b.tls != gate::BackendTls::none) == b.pins.empty())
    s.problem("backend_pins", "with backend_tls, and only then, the keys of the backends are expected");
  b.client_address =
      static_cast<gate::ClientAddress>(s.choice("client_address", {"none", "xclient", "proxy-v2"}, 0));
}

std::size_t count(TomlSection& s, const std::string& key, std::size_t fallback, std::int64_t least) {
  return static_cast<std::size_t>(s.integer(key, static_cast<std::int64_t>(fallback), least, 1'000'000));
}

gate::ClientLimits read_client_limits(TomlSection& s, const gate::ClientLimits& otherwise) {
  return {count(s, "max_sessions_per_client", otherwise.max_sessions, 1),
          count(s, "connections_per_minute_per_client", otherwise.per_minute, 0)};
}

// [limits], as every service has it, or [gate.limits].
void read_limits(TomlFile& file, GateConfig& c) {
  gate::Settings& gate = c.gate;
  TomlSection s = file.section("gate.limits");
  if (!s.exists()) s = file.section("limits");
  gate.limits.max_sessions = count(s, "max_sessions", 1000, 1);
  gate.limits.of_client = read_client_limits(s, {});
  gate.max_errors = count(s, "max_errors", 20, 1);
  gate.tarpit = s.duration("tarpit", base::Seconds(0));
  gate.pace = read_pace(s);
  c.store.min_free = static_cast<std::uint64_t>(s.integer("min_free_disk", 64LL << 20, 0, 1LL << 50));
  gate.command_timeout = s.duration("command_timeout", std::chrono::minutes(5));
}

void read_networks_limits(TomlSection& gate, gate::LimitSettings& limits) {
  for (TomlSection& s : gate.sections("network")) {
    gate::NetworkLimits one;
    one.networks = read_networks(s, "networks", true);
    one.of_client = read_client_limits(s, limits.of_client);
    one.max_sessions = count(s, "max_sessions", 0, 0);
    one.per_minute = count(s, "connections_per_minute", 0, 0);
    limits.networks.push_back(std::move(one));
  }
}

void read_https(TomlFile& file, const GateConfig& c, GateHttpsConfig& https) {
  TomlSection s = file.section("gate.https");
  if (!s.exists()) return;
  https.server.listen = read_endpoints(s, "listen", true);
  for (TomlSection& one : s.sections("certificates"))
    https.certificates.push_back({one.required_text("certificate"), one.required_text("key")});
  if (https.certificates.empty()) s.problem("certificates", "one at least is expected");
  https.reports = s.text("reports", "");
  if (!https.reports.empty() && !https.reports.starts_with('/'))
    s.problem("reports", "a path is expected, as \"/tlsrpt\"");
  if (!https.reports.empty() && c.data.empty())
    s.problem("reports", "is kept in the store: set gate.data, its folder");
  https.server.max_sessions = static_cast<std::size_t>(s.integer("max_sessions", 200, 1, 100000));
  https.server.max_sessions_per_client =
      static_cast<std::size_t>(s.integer("max_sessions_per_client", 20, 1, 100000));
}

// Reports are taken about whom the gate is for.
void read_reports(TomlSection& gate, GateConfig& c) {
  c.reports.keep =
      std::chrono::duration_cast<std::chrono::days>(gate.duration("reports_keep", std::chrono::days(400)));
  if (c.reports.keep < std::chrono::days(1)) gate.problem("reports_keep", "a day at least is expected");
  for (const publish::Domain& domain : c.domains) c.reports.domains.push_back(domain.name.str());
  for (const GateHost& host : c.hosts) c.reports.domains.push_back(host.hostname);
}

}  // namespace

base::Result<GateConfig> load_gate_config(const std::string& path) {
  auto file = TomlFile::load(path);
  if (!file) return std::unexpected(file.error());
  GateConfig c;
  TomlSection s = file->section("gate");
  if (!s.exists()) return base::fail("config.value", path + ": a section [gate] is expected");
  read_hosts(s, c);
  c.gate.listen_tls = read_endpoints(s, "listen_tls", false);
  c.gate.listen = read_endpoints(s, "listen", c.gate.listen_tls.empty());
  c.gate.tls.modern_ciphers = s.choice("tls_ciphers", {"modern", "compatible"}, 0) == 0;
  c.gate.tls.ask_client_certificate = s.flag("ask_client_certificate", false);
  read_backend(s, c.gate);
  c.control = s.text("control", "");
  c.data = s.text("data", "");
  read_advert(*file, c);
  read_limits(*file, c);
  c.domains = read_domains(s, c);
  read_reports(s, c);
  read_https(*file, c, c.https);
  read_lookups(*file, c.lookups);
  read_networks_limits(s, c.gate.limits);
  c.log = read_log(*file);
  c.process = read_process(*file);
  if (auto done = file->finish(); !done) return std::unexpected(done.error());
  return c;
}

}  // namespace pinnace::app
