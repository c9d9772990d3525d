#include "names/txt_fields.hpp"

#include <algorithm>

namespace pinnace::names {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_alphanum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}

bool is_name(std::string_view s) {
  return !s.empty() && s.size() <= 32 && is_alphanum(s[0]) && std::all_of(s.begin(), s.end(), [](char c) {
    return is_alphanum(c) || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

bool has_version(std::string_view record, std::string_view version) {
  if (!record.starts_with(version)) return false;
  record.remove_prefix(version.size());
  return trimmed(record).starts_with(';') && record.find(';') != std::string_view::npos;
}

std::optional<std::vector<TxtField>> txt_fields(std::string_view record, std::string_view version) {
  if (!has_version(record, version)) return std::nullopt;
  std::vector<TxtField> out;
  record.remove_prefix(record.find(';') + 1);
  while (true) {
    const std::size_t end = record.find(';');
    const std::string_view field = trimmed(record.substr(0, end));
    const bool last = end == std::string_view::npos;
    if (last && field.empty()) break;  // a delimiter may end the record
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos || !is_name(field.substr(0, equals))) return std::nullopt;
    out.push_back({std::string(field.substr(0, equals)), std::string(field.substr(equals + 1))});
    if (last) break;
    record.remove_prefix(end + 1);
  }
  if (out.empty()) return std::nullopt;
  return out;
}

bool is_extension_value(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](char c) { return c > ' ' && c < 0x7f && c != '=' && c != ';'; });
}

}  // namespace pinnace::names
