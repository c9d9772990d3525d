#include "app/listeners_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "auth/user_file.hpp"

namespace pinnace::app {
namespace {

using relay::ListenerSettings;
using Kind = ListenerSettings::Kind;

template <class T>
std::vector<T> read_each(TomlSection& s, const std::string& key, bool required) {
  std::vector<T> out;
  for (const std::string& text : s.texts(key, required)) {
    if (auto one = T::parse(text)) {
      out.push_back(std::move(*one));
    } else {
      s.problem(key, one.error().detail);
    }
  }
  return out;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

void read_limits(TomlSection& s, ListenerSettings& l) {
  const auto size = [&s](const char* key, std::size_t fallback, std::int64_t least) {
    return static_cast<std::size_t>(s.integer(key, static_cast<std::int64_t>(fallback), least, 1LL << 40));
  };
  l.max_sessions = size("max_sessions", l.max_sessions, 1);
  l.max_sessions_per_client = size("max_sessions_per_client", l.max_sessions_per_client, 1);
  l.max_recipients = size("max_recipients", l.max_recipients, 100);
  l.max_message_size = size("max_message_size", l.max_message_size, 1024);
}

void read_source(TomlSection& s, const std::string& listener, RelayConfig& c) {
  const auto addresses = read_each<io::IpAddress>(s, "source_address", false);
  const auto v4 = std::count_if(addresses.begin(), addresses.end(), [](const auto& a) { return a.is_v4(); });
  if (v4 > 1 || static_cast<std::ptrdiff_t>(addresses.size()) - v4 > 1)
    s.problem("source_address", "at most one IPv4 and one IPv6 address are expected");
  if (!addresses.empty()) c.delivery.sources[listener] = addresses;
}

void check_users(TomlSection& s, const RelayConfig& c) {
  if (c.certificate.empty())
    s.problem("kind", "users log in inside TLS only: relay.certificate and relay.key are expected");
  if (c.users.empty()) s.problem("kind", "nobody could log in: relay.users, a file, is expected");
}

ListenerSettings read_listener(TomlSection& s, ListenerSettings l, RelayConfig& c) {
  l.name = s.required_text("name");
  if (!l.name.empty() && !is_name(l.name))
    s.problem("name", "1 to 64 small letters, digits, '-', '_' and '.' are expected");
  l.kind = static_cast<Kind>(s.choice("kind", {"relay", "submission", "submissions"}, 0));
  l.addresses = read_endpoints(s, "addresses", true);
  const bool own = s.has("networks");
  if (own || l.for_users()) l.networks = read_networks(s, "networks", false);
  if (!l.for_users() && l.networks.empty())
    s.problem("networks", "nobody could relay: networks are expected here, or as relay.networks");
  l.xclient_from = read_networks(s, "xclient_from", false);
  l.proxy_from = read_networks(s, "proxy_from", false);
  l.priority = static_cast<queue::Priority>(s.choice("priority", {"low", "normal", "high"}, 1));
  read_source(s, l.name, c);
  read_limits(s, l);
  if (l.for_users()) check_users(s, c);
  return l;
}

}  // namespace

std::vector<io::Endpoint> read_endpoints(TomlSection& s, const std::string& key, bool required) {
  return read_each<io::Endpoint>(s, key, required);
}

std::vector<io::Network> read_networks(TomlSection& s, const std::string& key, bool required) {
  return read_each<io::Network>(s, key, required);
}

void read_listeners(TomlFile& file, TomlSection& relay, RelayConfig& c) {
  c.users = relay.text("users", "");
  if (!c.users.empty()) {
    if (const auto users = auth::UserFile::load(c.users); !users)
      relay.problem("users", users.error().detail);
  }
  ListenerSettings plain = c.listener;
  plain.name = "relay";
  TomlSection whole = file.section("");
  auto tables = whole.sections("listener");
  plain.addresses = read_endpoints(relay, "listen", tables.empty());
  plain.networks = read_networks(relay, "networks", !plain.addresses.empty());
  std::set<std::string> names;
  if (!plain.addresses.empty()) {
    names.insert(plain.name);
    c.relay.listeners.push_back(plain);
  }
  for (TomlSection& s : tables) {
    c.relay.listeners.push_back(read_listener(s, plain, c));
    const std::string& name = c.relay.listeners.back().name;
    if (!names.insert(name).second)
      s.problem("name", fmt::format("'{}' is another listener's name{}", name,
                                    name == plain.name ? ": the one at relay.listen" : ""));
  }
}

}  // namespace pinnace::app
