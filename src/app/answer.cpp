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

}  // namespace

void print_json(json::object out) { fmt::print("{}\n", json::serialize(clean(json::value(std::move(out))))); }

std::string printable(std::string_view text) {
  std::string out = utf8(text);
  std::replace_if(out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, '?');
  return out;
}

}  // namespace pinnace::app
