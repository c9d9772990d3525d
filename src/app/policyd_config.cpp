// The configuration of `pinnace policyd`.
#include <algorithm>

#include "app/listeners_config.hpp"
#include "app/own_name.hpp"
#include "app/sender_config.hpp"

namespace pinnace::app {
namespace {

constexpr const char* kMap = "pinnace";

// Behind a map's name in a request stands a blank.
bool is_map_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

void read_maps(TomlSection& s, PolicydConfig& c) {
  constexpr std::size_t kMostMaps = 16;
  c.engine.maps = {{kMap, {}}};
  for (TomlSection& one : s.sections("profile")) {
    policyd::Map map;
    map.name = one.required_text("name");
    map.options.report_only = one.flag("report_only", false);
    const bool twice = std::any_of(c.engine.maps.begin(), c.engine.maps.end(),
                                   [&map](const policyd::Map& other) { return other.name == map.name; });
    if (twice) {
      one.problem("name", map.name + " is there twice, or the name of the map that is always there");
    } else if (!map.name.empty() && !is_map_name(map.name)) {
      one.problem("name", "letters, digits, '-', '_' and '.' are expected, 64 at most");
    }
    c.engine.maps.push_back(std::move(map));
  }
  if (c.engine.maps.size() > kMostMaps) s.problem("profile", "at most 15 are taken");
  for (const policyd::Map& map : c.engine.maps) c.server.maps.push_back(map.name);
}

void read_server(TomlSection& s, PolicydConfig& c) {
  c.server.listen = read_endpoints(s, "listen", false);
  if (!s.has("listen")) c.server.listen = {*io::Endpoint::parse("127.0.0.1:8461")};
  if (c.server.listen.empty()) s.problem("listen", "at least one endpoint is expected");
  c.server.max_connections = static_cast<std::size_t>(s.integer("max_connections", 1000, 1, 100000));
  c.server.idle_timeout = s.duration("idle_timeout", std::chrono::minutes(10));
  c.server.answer_timeout = s.duration("answer_timeout", std::chrono::seconds(5));
  if (c.server.answer_timeout < base::Seconds(1)) s.problem("answer_timeout", "at least 1s is expected");
  c.server.socket_mode = s.text("socket_mode", "0660");
  const bool octal = c.server.socket_mode.size() == 4 && c.server.socket_mode.starts_with('0') &&
                     c.server.socket_mode.find_first_not_of("01234567") == std::string::npos;
  if (!octal) s.problem("socket_mode", "an octal mode in quotes, as \"0660\", is expected");
}

void read_engine(TomlSection& s, PolicydConfig& c) {
  c.engine.lookups = static_cast<std::size_t>(s.integer("lookups", 64, 1, 1000));
  c.engine.lookup_timeout = s.duration("lookup_timeout", std::chrono::seconds(20));
  if (c.engine.lookup_timeout < base::Seconds(1)) s.problem("lookup_timeout", "at least 1s is expected");
  c.memory = static_cast<std::size_t>(s.integer("cache_memory", 1LL << 30, 1LL << 20, 1LL << 40));
  c.anchors = s.text("anchors", c.data + "/anchors");
  const std::string seen_as = s.text("anchors_seen_as", c.anchors);
  for (const std::string& folder : {c.anchors, seen_as}) {
    const bool plain = folder.starts_with('/') && folder.find_first_of(" \t\r\n,{}\"") == std::string::npos;
    if (!plain) s.problem("anchors", "a path from / on, without blanks, commas and braces, is expected");
  }
  for (policyd::Map& map : c.engine.maps) map.options.anchors_folder = seen_as;
  c.tlsrpt = static_cast<TlsReports>(s.choice("tlsrpt", {"auto", "on", "off"}, 0));
}

void read_probe(TomlFile& file, PolicydConfig& c) {
  TomlSection s = file.section("probe");
  c.probe = s.flag("enabled", true);
  read_way(s, c.delivery);
  c.delivery.hostname = s.text("hostname", own_name());
  const base::Seconds timeout = s.duration("timeout", std::chrono::seconds(30));
  if (timeout < base::Seconds(1)) s.problem("timeout", "at least 1s is expected");
  c.delivery.greeting_timeout = c.delivery.command_timeout = timeout;
  c.delivery.opening_timeout = timeout;
  c.prober.parallel = static_cast<std::size_t>(s.integer("parallel", 8, 1, 256));
  c.prober.per_second = s.number("per_second", 5, 0.01, 1000);
  c.prober.host_pause = s.duration("host_pause", std::chrono::minutes(10));
  c.prober.refresh = s.duration("refresh", std::chrono::hours(12));
  c.prober.most_hosts = static_cast<std::size_t>(s.integer("most_hosts", 100'000, 1, 10'000'000));
  if (c.prober.refresh < c.prober.host_pause) s.problem("refresh", "no less than host_pause is expected");
}

}  // namespace

base::Result<PolicydConfig> load_policyd_config(const std::string& path, base::Time now) {
  auto file = path.empty() ? TomlFile::nothing() : TomlFile::load(path);
  if (!file) return std::unexpected(file.error());
  PolicydConfig c;
  TomlSection s = file->section("policyd");
  if (!path.empty() && !s.exists())
    return base::fail("config.value", path + ": a section [policyd] is expected");
  c.data = s.text("data", "/var/lib/pinnace-policyd");
  c.control = s.text("control", "/run/pinnace/policyd.sock");
  read_maps(s, c);
  read_server(s, c);
  read_engine(s, c);
  read_probe(*file, c);
  read_sender(*file, now, c);
  TomlSection l = file->section("limits");
  c.store.min_free = static_cast<std::uint64_t>(l.integer("min_free_disk", 64LL << 20, 0, 1LL << 50));
  if (auto done = file->finish(); !done) return std::unexpected(done.error());
  return c;
}

}  // namespace pinnace::app
