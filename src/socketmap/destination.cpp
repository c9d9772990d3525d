#include "socketmap/destination.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "names/domain.hpp"
#include "names/mail_address.hpp"
#include "socketmap/request.hpp"

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

// An address in brackets, canonical; nothing: it is none.
std::optional<std::string> address(std::string_view text) {
  for (const char* before : {"[", "[IPv6:"}) {
    if (auto literal = names::address_literal(before + std::string(text) + "]")) return literal;
  }
  return std::nullopt;
}

// RFC 1123 2.1: what is written as an address is never taken for a name.
base::Result<Destination> parse_host(std::string_view text, bool bracketed) {
  using Kind = Destination::Kind;
  if (auto literal = address(text)) return Destination{Kind::address, std::move(*literal), std::nullopt};
  const auto domain = names::Domain::parse(text);
  if (domain) return Destination{bracketed ? Kind::host : Kind::domain, domain->str(), std::nullopt};
  return base::fail("socketmap.key", "the key is no domain, host or address: what binds it is not known");
}

}  // namespace

base::Result<Destination> Destination::parse(std::string_view key) {
  if (key.starts_with('.') && names::Domain::parse(key.substr(1)))
    return base::fail("socketmap.no_host", "the domain itself is asked for, not what is above it");
  // docs/decisions/0007: no network is between.
  if (key.find('/') != std::string_view::npos)
    return base::fail("socketmap.no_host", "a socket of this machine is held to nothing");
  const bool bracketed = key.starts_with('[');
  const std::size_t end = std::min(bracketed ? key.find(']') : key.find(':'), key.size());
  std::string_view name = key.substr(0, end), port = key.substr(end);
  if (bracketed) {
    name.remove_prefix(1);
    if (port.empty()) name = {};  // nothing closes it
    port = port.substr(std::min<std::size_t>(port.size(), 1));
  }
  auto out = parse_host(name, bracketed);
  if (!out || port.empty()) return out;
  if (port.starts_with(':')) out->port = parse_port(port.substr(1));
  if (!out->port) {
    return base::fail("socketmap.port",
                      fmt::format("the port of {} is unknown: write its number", out->key()));
  }
  return out;
}

std::string Destination::key() const {
  std::string out = kind == Kind::host ? "[" + name + "]" : name;
  if (port) out += ":" + std::to_string(*port);
  return out;
}

std::string reply_to(const base::Error& error) {
  return error.code == "socketmap.no_host" ? std::string(kNotFound) : permanent(error.detail);
}

}  // namespace pinnace::socketmap
