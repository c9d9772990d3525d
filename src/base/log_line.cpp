#include "base/log_line.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"

namespace pinnace::base {
namespace {

enum class Kind { plain, quote, control, invalid };

// C1 controls are C2 80 to C2 9F in UTF-8: U+0085 ends a line for some readers. So do U+2028 and U+2029.
Kind kind_of(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) {
    if (first == '"' || first == '\\') return Kind::quote;
    return first < 0x20 || first == 0x7f ? Kind::control : Kind::plain;
  }
  const auto second = static_cast<unsigned char>(character[1]);
  if (first == 0xc2 && second < 0xa0) return Kind::control;
  return character == "\xe2\x80\xa8" || character == "\xe2\x80\xa9" ? Kind::control : Kind::plain;
}

// Calls fn with each character and its kind; with each octet that is none.
template <class F>
void each(std::string_view text, F fn) {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(size, 1));
    fn(character, size == 0 ? Kind::invalid : kind_of(character));
    text.remove_prefix(character.size());
  }
}

void append_hex(std::string& out, std::string_view octets, std::string_view prefix) {
  for (const char c : octets) out += fmt::format("{}{:02x}", prefix, static_cast<unsigned char>(c));
}

unsigned code_point(std::string_view character) {
  unsigned code = 0;
  for (const char c : character) code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
  switch (character.size()) {
    case 1:
      return static_cast<unsigned char>(character[0]);
    case 2:
      return code & 0x7ff;
    default:  // none of four octets is a control
      return code & 0xffff;
  }
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  each(text, [&out](std::string_view character, Kind kind) {
    switch (kind) {
      case Kind::plain:
        out += character;
        break;
      case Kind::quote:
        out += '\\';
        out += character;
        break;
      case Kind::control:
        out += fmt::format("\\u{:04x}", code_point(character));
        break;
      case Kind::invalid:
        append_hex(out, character, "\\\\x");
        break;
    }
  });
  out += '"';
}

}  // namespace

std::string quote_log_value(std::string_view value) {
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return std::string(value);
  std::string out = "\"";
  each(value, [&out](std::string_view character, Kind kind) {
    if (kind == Kind::quote) out += '\\';
    if (kind == Kind::plain || kind == Kind::quote) {
      out += character;
    } else {
      append_hex(out, character, "\\x");
    }
  });
  return out += '"';
}

std::string logfmt_line(std::string_view event, std::span<const Field> fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += quote_log_value(field.value);
  }
  return line;
}

std::string json_members(std::string_view event, std::span<const Field> fields) {
  std::string out = "\"event\":";
  append_json(out, event);
  for (const Field& field : fields) {
    out += ',';
    append_json(out, field.key);
    out += ':';
    append_json(out, field.value);
  }
  return out;
}

}  // namespace pinnace::base
