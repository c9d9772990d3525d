#include "socketmap/destination.hpp"

#include <fmt/format.h>

#include <charconv>

namespace pinnace::socketmap {
namespace {

// services(5): whoever names a port by a word that we do not know must not be told "no policy".
std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text == "smtp" || text == "mail") return 25;
  if (text == "submission") return 587;
  if (text == "submissions" || text == "smtps" || text == "ssmtp") return 465;
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (code != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

base::Result<Destination> Destination::parse(std::string_view key) {
  const auto no_domain = [&] {
    return base::fail("socketmap.no_domain", "the key is no domain and no host");
  };
  const bool bracketed = key.starts_with('[');
  std::string_view name = key, port;
  if (bracketed) {
    const auto end = key.find(']');
    if (end == std::string_view::npos) return no_domain();
    name = key.substr(1, end - 1);
    port = key.substr(end + 1);
  } else if (const auto colon = key.find(':'); colon != std::string_view::npos) {
    name = key.substr(0, colon);
    port = key.substr(colon);
  }
  auto domain = names::Domain::parse(name);
  if (!domain) return no_domain();
  Destination out{std::move(*domain), bracketed, std::nullopt};
  if (port.empty()) return out;
  if (port.starts_with(':')) out.port = parse_port(port.substr(1));
  if (!out.port) {
    return base::fail("socketmap.port",
                      fmt::format("the port of {} is unknown: write its number", out.key()));
  }
  return out;
}

std::string Destination::key() const {
  std::string out = bracketed ? "[" + domain.str() + "]" : domain.str();
  if (port) out += ":" + std::to_string(*port);
  return out;
}

}  // namespace pinnace::socketmap
