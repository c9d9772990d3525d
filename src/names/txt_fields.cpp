#include "names/txt_fields.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::names {
namespace {

constexpr std::size_t kMaxExtensions = 1000;

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_alphanum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view trimmed_front(std::string_view s) {
  while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
  return s;
}

std::string_view trimmed_back(std::string_view s) {
  while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
  return s;
}

// Of several records those count that begin with the version and its semicolon, to the letter. One that
// stands alone is held to the grammar, and *WSP may be between the two.
bool has_version(std::string_view record, std::string_view version, bool alone) {
  if (!record.starts_with(version)) return false;
  record.remove_prefix(version.size());
  return (alone ? trimmed_front(record) : record).starts_with(';');
}

}  // namespace

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && is_alphanum(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanum(c) || c == '_' || c == '-' || c == '.'; });
}

base::Result<std::vector<TxtField>> txt_fields(std::span<const std::string> records,
                                               std::string_view version) {
  const bool alone = records.size() == 1;
  const auto ours = [version, alone](const std::string& r) { return has_version(r, version, alone); };
  const auto count = std::count_if(records.begin(), records.end(), ours);
  if (count != 1) {
    return base::fail("names.txt", count == 0 ? fmt::format("no record begins with \"{};\"", version)
                                              : fmt::format("{} records begin with \"{};\": then none counts",
                                                            count, version));
  }
  std::string_view record = *std::find_if(records.begin(), records.end(), ours);
  std::vector<TxtField> out;
  bool good = true;
  for (bool last = false; good && !last;) {
    record.remove_prefix(record.find(';') + 1);
    const std::size_t end = record.find(';');
    last = end == std::string_view::npos;
    std::string_view field = trimmed_front(record.substr(0, end));
    if (last && field.empty()) break;  // a delimiter may end the record
    // field-delim is *WSP ";" *WSP: blanks at the end of the record with no semicolon belong to none.
    if (!last) field = trimmed_back(field);
    const std::size_t equals = field.find('=');
    good = equals != std::string_view::npos && is_field_name(field.substr(0, equals));
    if (good) out.push_back({std::string(field.substr(0, equals)), std::string(field.substr(equals + 1))});
  }
  if (good && !out.empty()) return out;
  return base::fail("names.txt",
                    "name=value pairs with semicolons between them are expected behind the version");
}

bool add_first(std::vector<TxtField>& fields, TxtField field) {
  const auto same = [&field](const TxtField& f) { return f.name == field.name; };
  if (std::any_of(fields.begin(), fields.end(), same)) return false;
  // Nothing looks at them but people: whoever sends thousands does not cost thousands of comparisons each.
  if (fields.size() < kMaxExtensions) fields.push_back(std::move(field));
  return true;
}

bool is_extension_value(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](char c) { return c > ' ' && c < 0x7f && c != '=' && c != ';'; });
}

}  // namespace pinnace::names
