#include "smtp/xclient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "smtp/dsn_parameters.hpp"
#include "smtp/keyword.hpp"

namespace pinnace::smtp {
namespace {

constexpr std::size_t kMaxValue = 255;

bool take_port(std::string_view value, std::optional<std::uint16_t>& to) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), port);
  const bool good = value.empty() || (code == std::errc{} && end == value.data() + value.size());
  if (good) to = port;
  return good;
}

std::string without_family(std::string value) {
  return keyword(std::string_view(value).substr(0, 5)) == "IPV6:" ? value.substr(5) : value;
}

bool take(Xclient& out, const std::string& name, std::string value) {
  if (name == "NAME") {
    out.name = std::move(value);
  } else if (name == "ADDR") {
    out.address = without_family(std::move(value));
  } else if (name == "PORT") {
    return take_port(value, out.port);
  } else if (name == "PROTO") {
    out.protocol = keyword(value);
    return value.empty() || *out.protocol == "SMTP" || *out.protocol == "ESMTP";
  } else if (name == "HELO") {
    out.helo = std::move(value);
  } else if (name == "LOGIN") {
    out.login = std::move(value);
  } else if (name == "DESTADDR") {
    out.local_address = without_family(std::move(value));
  } else if (name == "DESTPORT") {
    return take_port(value, out.local_port);
  } else {
    return false;
  }
  return true;
}

}  // namespace

base::Result<Xclient> parse_xclient(std::string_view argument) {
  Xclient out;
  bool any = false;
  while (!argument.empty()) {
    const std::string_view word = argument.substr(0, argument.find(' '));
    argument.remove_prefix(std::min(argument.size(), word.size() + 1));
    if (word.empty()) continue;
    any = true;
    const std::size_t equals = word.find('=');
    const std::string name = keyword(word.substr(0, equals));
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value = decode_xtext(word.substr(equals + 1));
    if (value) {
      const std::string spelled = keyword(*value);
      if (spelled == "[UNAVAILABLE]" || spelled == "[TEMPUNAVAIL]") value->clear();
    }
    const bool printable =
        value && value->size() <= kMaxValue &&
        std::all_of(value->begin(), value->end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!printable || !take(out, name, *value))
      return base::fail("smtp.syntax", fmt::format("'{}' is no attribute of XCLIENT", word.substr(0, 60)));
  }
  if (!any) return base::fail("smtp.syntax", "XCLIENT takes attributes, as ADDR=192.0.2.1");
  return out;
}

}  // namespace pinnace::smtp
