#include "app/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "names/mail_address.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

std::string utf8(std::string_view text) {
  if (names::is_utf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t n = 1;
    while (n <= 4 && !names::is_utf8(text.substr(0, n))) ++n;
    const bool good = n <= 4;
    out += good ? text.substr(0, n) : "\xef\xbf\xbd";
    text.remove_prefix(good ? std::min(n, text.size()) : 1);
  }
  return out;
}

json::value clean(const json::value& value) {
  if (const auto* text = value.if_string()) return json::value(utf8(*text));
  if (const auto* list = value.if_array()) {
    json::array out;
    for (const json::value& v : *list) out.push_back(clean(v));
    return out;
  }
  if (const auto* fields = value.if_object()) {
    json::object out;
    for (const auto& [name, v] : *fields) out[utf8(name)] = clean(v);
    return out;
  }
  return value;
}

// The octets of a character at the front that is not ASCII and may steer a terminal: the C1 controls U+0080
// to U+009F, and those that turn the direction of writing. 0: it is none.
std::size_t steering(std::string_view text) {
  const auto octet = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (octet(0) == 0xc2 && octet(1) >= 0x80 && octet(1) <= 0x9f) return 2;
  const bool embeds = octet(1) == 0x80 && octet(2) >= 0xaa && octet(2) <= 0xae;    // U+202A to U+202E
  const bool isolates = octet(1) == 0x81 && octet(2) >= 0xa6 && octet(2) <= 0xa9;  // U+2066 to U+2069
  return octet(0) == 0xe2 && (embeds || isolates) ? 3 : 0;
}

}  // namespace

void print_json(json::value out) { fmt::print("{}\n", json::serialize(clean(out))); }

std::string printable(std::string_view text) {
  std::string out = utf8(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, '?');
  for (std::size_t at = 0; at + 1 < out.size(); ++at) {
    if (const std::size_t size = steering(std::string_view(out).substr(at)); size > 0)
      out.replace(at, size, "?");
  }
  return out;
}

}  // namespace pinnace::app
