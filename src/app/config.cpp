#include "app/config.hpp"

#include <unistd.h>

#include "app/listeners_config.hpp"
#include "app/routes_config.hpp"
#include "app/rules_config.hpp"
#include "app/sender_config.hpp"
#include "app/toml_section.hpp"
#include "names/domain.hpp"

namespace pinnace::app {

std::string read_hostname(TomlSection& s) {
  const std::string text = s.required_text("hostname");
  const auto name = names::Domain::parse(text);
  if (!name && !text.empty()) s.problem("hostname", name.error().detail);
  return name ? name->str() : text;
}

LogSettings read_log(TomlFile& file) {
  TomlSection s = file.section("log");
  LogSettings log;
  log.level = static_cast<base::Level>(s.choice("level", {"debug", "info", "warning", "error"}, 1));
  log.format = static_cast<base::LogFormat>(s.choice("format", {"logfmt", "json"}, 0));
  log.file = s.text("file", "");
  return log;
}

ProcessSettings read_process(TomlFile& file) {
  TomlSection s = file.section("process");
  ProcessSettings process;
  process.user = s.text("user", "");
  process.sandbox = s.choice("sandbox", {"off", "on"}, 1) == 1;
  return process;
}

io::PaceSettings read_pace(TomlSection& limits) {
  io::PaceSettings pace;
  pace.least = static_cast<std::uint64_t>(limits.integer("min_rate", 500, 0, 1LL << 40));
  pace.grace = limits.duration("min_rate_grace", std::chrono::minutes(1));
  return pace;
}

namespace {

void read_limits(TomlFile& file, RelayConfig& c) {
  TomlSection s = file.section("limits");
  relay::Settings& r = c.relay;
  relay::ListenerSettings& l = c.listener;
  l.max_message_size = static_cast<std::uint64_t>(s.integer("max_message_size", 52428800, 1024, 1LL << 40));
  r.max_sessions = l.max_sessions = static_cast<std::size_t>(s.integer("max_sessions", 1000, 1, 100000));
  l.max_sessions_per_client = static_cast<std::size_t>(s.integer("max_sessions_per_client", 200, 1, 100000));
  l.max_recipients = static_cast<std::size_t>(s.integer("max_recipients", 1000, 100, 100000));
  r.max_errors = static_cast<std::size_t>(s.integer("max_errors", 20, 1, 10000));
  r.max_received = static_cast<std::size_t>(s.integer("max_received", 100, 1, 10000));
  r.max_text_line = static_cast<std::size_t>(s.integer("max_text_line", 998, 0, 1 << 20));
  r.memory = static_cast<std::uint64_t>(s.integer("memory", 256LL << 20, 1LL << 20, 1LL << 50));
  r.pace = read_pace(s);
  r.command_timeout = s.duration("command_timeout", std::chrono::minutes(5));
  r.transaction_timeout = s.duration("transaction_timeout", std::chrono::hours(1));
  c.delivery.greeting_timeout = s.duration("greeting_timeout", std::chrono::minutes(5));
  c.store.min_free = static_cast<std::uint64_t>(s.integer("min_free_disk", 64LL << 20, 0, 1LL << 50));
}

}  // namespace

void read_way(TomlSection& s, delivery::Settings& d) {
  d.port = static_cast<std::uint16_t>(s.integer("port", 25, 1, 65535));
  const std::string source = s.text("source_address", "");
  if (!source.empty()) {
    if (const auto address = io::IpAddress::parse(source)) {
      d.source_address = *address;
    } else {
      s.problem("source_address", address.error().detail);
    }
  }
  d.connect_timeout = s.duration("connect_timeout", std::chrono::seconds(30));
}

namespace {

void read_delivery(TomlFile& file, RelayConfig& c) {
  TomlSection s = file.section("delivery");
  read_way(s, c.delivery);
  c.delivery.command_timeout = s.duration("command_timeout", std::chrono::minutes(5));
  c.delivery.transaction_timeout = s.duration("transaction_timeout", std::chrono::hours(1));
  c.delivery.attempt_timeout = s.duration("attempt_timeout", std::chrono::minutes(15));
  c.delivery.concurrency = static_cast<std::size_t>(s.integer("concurrency", 20, 1, 10000));
  c.delivery.concurrency_initial = static_cast<std::size_t>(s.integer("concurrency_initial", 5, 1, 10000));
  c.delivery.concurrency_growth = s.number("concurrency_growth", 1.0, 0.0, 100.0);
  c.delivery.concurrency_shrink = s.number("concurrency_shrink", 1.0, 0.0, 100.0);
  c.delivery.probe_max = s.duration("probe_max", std::chrono::minutes(30));
  if (c.delivery.probe_max < base::Seconds(1)) s.problem("probe_max", "at least 1s is expected");
  c.delivery.connection_idle = s.duration("connection_idle", std::chrono::seconds(2));
  c.delivery.max_connections = static_cast<std::size_t>(s.integer("max_connections", 500, 1, 100000));
  c.delivery.messages_per_connection =
      static_cast<std::size_t>(s.integer("messages_per_connection", 1000, 1, 1000000));
  c.delivery.delay_notice = s.duration("delay_notice", std::chrono::hours(4));
  c.delivery.chunking = s.flag("chunking", true);
  c.delivery.convert = s.flag("convert", true);
  c.delivery.connection_lifetime = s.duration("connection_lifetime", std::chrono::hours(1));
  c.delivery.resumption_lifetime = s.duration("resumption_lifetime", std::chrono::hours(1));
  // RFC 8446 4.6.1
  if (c.delivery.resumption_lifetime > std::chrono::days(7))
    s.problem("resumption_lifetime", "at most 7d is taken (RFC 8446 4.6.1)");
}

void read_queue(TomlFile& file, RelayConfig& c) {
  TomlSection s = file.section("queue");
  c.queue.lifetime = s.duration("lifetime", std::chrono::days(5));
  c.queue.retry_initial = s.duration("retry_initial", std::chrono::minutes(5));
  c.queue.retry_max = s.duration("retry_max", std::chrono::hours(4));
  c.queue.jitter = s.number("jitter", 0.2, 0.0, 0.9);
  if (c.queue.retry_initial < base::Seconds(1)) s.problem("retry_initial", "at least 1s is expected");
}

void read_pins(TomlFile& file, SenderConfig& c) {
  TomlSection s = file.section("pins");
  pins::NotingSettings& n = c.delivery.noting;
  n.policy =
      static_cast<pins::Policy>(s.choice("noting", {"off", "authenticated", "confirmed", "first-use"}, 2));
  n.confirm_sessions = static_cast<std::uint32_t>(s.integer("confirm_sessions", 3, 1, 1000));
  n.confirm_for = std::chrono::hours(s.integer("confirm_hours", 24, 0, 24 * 365));
  n.max_age_limit = s.duration("max_age_limit", std::chrono::days(60));
  n.stsec_limit = s.duration("stsec_limit", std::chrono::days(366));
}

void read_policy(TomlFile& file, RelayConfig& c) {
  TomlSection s = file.section("policy");
  c.delivery.honour_tls_required_no = s.choice("tls_required_no", {"honour", "ignore"}, 0) == 0;
}

void read_sts(TomlFile& file, SenderConfig& c) {
  TomlSection s = file.section("sts");
  c.sts_allowed = read_networks(s, "allow_addresses", false);
  c.sts_timeout = s.duration("timeout", std::chrono::minutes(1));
  if (c.sts_timeout < base::Seconds(1)) s.problem("timeout", "at least 1s is expected");
}

void read_dns(TomlFile& file, SenderConfig& c) {
  TomlSection s = file.section("dns");
  c.dns.trust_anchor_file = s.text("trust_anchor_file", "");
  c.dns.forwarders = s.texts("forwarders", false);
  c.dns.timeout = s.duration("timeout", std::chrono::seconds(20));
  for (TomlSection& stub : s.sections("stub")) {
    c.dns.stubs.push_back({stub.required_text("zone"), stub.required_text("address")});
  }
}

}  // namespace

void read_lookups(TomlFile& file, SenderConfig& c) {
  c.roots = file.section("tls").text("roots", "");
  read_sts(file, c);
  read_dns(file, c);
}

void read_sender(TomlFile& file, base::Time now, SenderConfig& c) {
  read_lookups(file, c);
  c.log = read_log(file);
  c.process = read_process(file);
  read_pins(file, c);
  c.client_certificates = read_client_certificates(file);
  RulesRead rules = read_rules(file, c.client_certificates, now);
  c.rules = std::make_shared<const policy::RuleBook>(std::move(rules.book));
  c.pin_files = std::move(rules.pin_files);
}

base::Result<RelayConfig> load_relay_config(const std::string& path, base::Time now) {
  auto file = TomlFile::load(path);
  if (!file) return std::unexpected(file.error());
  RelayConfig c;
  TomlSection s = file->section("relay");
  if (!s.exists()) return base::fail("config.value", path + ": a section [relay] is expected");
  c.relay.hostname = c.delivery.hostname = read_hostname(s);
  c.data = s.required_text("data");
  c.control = s.text("control", c.data + "/control.sock");
  c.certificate = s.text("certificate", "");
  c.key = s.text("key", "");
  if (c.certificate.empty() != c.key.empty()) s.problem("certificate", "certificate and key belong together");
  read_sender(*file, now, c);
  read_limits(*file, c);
  read_delivery(*file, c);
  read_queue(*file, c);
  read_policy(*file, c);
  read_listeners(*file, s, c);
  c.routes = read_routes(*file);
  if (auto done = file->finish(); !done) return std::unexpected(done.error());
  return c;
}

base::Result<SenderConfig> load_sender_config(const std::string& path, base::Time now) {
  const auto file = TomlFile::load(path);
  if (!file) return std::unexpected(file.error());
  if (file->has("policyd")) {
    auto policyd = load_policyd_config(path, now);
    if (!policyd) return std::unexpected(policyd.error());
    return SenderConfig(std::move(*policyd));
  }
  if (file->has("gate")) {
    auto gate = load_gate_config(path);
    if (!gate) return std::unexpected(gate.error());
    return std::move(gate->lookups);
  }
  auto relay = load_relay_config(path, now);
  if (!relay) return std::unexpected(relay.error());
  return SenderConfig(std::move(*relay));
}

}  // namespace pinnace::app
