#include "names/txt_strings.hpp"

namespace pinnace::names {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What stands behind a backslash, which it takes off `text`.
std::optional<char> unescaped(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  if (!is_digit(text[0])) {
    const char c = text[0];
    text.remove_prefix(1);
    return c;
  }
  if (text.size() < 3 || !is_digit(text[1]) || !is_digit(text[2])) return std::nullopt;
  const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  text.remove_prefix(3);
  return value <= 255 ? std::optional(static_cast<char>(value)) : std::nullopt;
}

// One quoted string, whose opening quote is taken off already. False: it does not end.
bool take_string(std::string_view& text, std::string& out) {
  while (!text.empty()) {
    char c = text[0];
    text.remove_prefix(1);
    if (c == '"') return true;
    if (c == '\\') {
      const auto escaped = unescaped(text);
      if (!escaped) return false;
      c = *escaped;
    }
    out += c;
  }
  return false;
}

}  // namespace

std::optional<std::string> joined_strings(std::string_view text) {
  std::string out;
  if (!text.starts_with('"')) return std::nullopt;
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    if (c == ' ' || c == '\t') continue;
    if (c != '"' || !take_string(text, out)) return std::nullopt;
  }
  return out;
}

}  // namespace pinnace::names
