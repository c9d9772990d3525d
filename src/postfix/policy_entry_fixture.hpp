// An entry of smtp_tls_policy_maps taken apart as Postfix does it: words between blanks and commas, braces
// counted, { name = value } without the blanks at its ends (mystrtokq(), extpar(), split_nameval()).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pinnace::postfix::fixture {

using Attributes = std::vector<std::pair<std::string, std::string>>;

inline std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

// Nothing: Postfix says that the entry is malformed, and defers.
inline std::optional<Attributes> attributes_of(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  Attributes out;
  while (true) {
    const std::size_t from = text.find_first_not_of(kSeparators);
    if (from == std::string_view::npos) return out;
    text.remove_prefix(from);
    int depth = 0;
    std::size_t end = 0;
    for (; end < text.size() && (depth > 0 || kSeparators.find(text[end]) == std::string_view::npos); ++end) {
      if (text[end] == '{') ++depth;
      if (text[end] == '}') --depth;
    }
    std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    if (depth != 0) return std::nullopt;
    if (word.starts_with('{')) {
      if (word.find('}') != word.size() - 1) return std::nullopt;
      word = without_blanks(word.substr(1, word.size() - 2));
    }
    const std::size_t at = word.find('=');
    if (at == std::string_view::npos || at == 0) return std::nullopt;
    out.emplace_back(without_blanks(word.substr(0, at)), without_blanks(word.substr(at + 1)));
  }
}

}  // namespace pinnace::postfix::fixture
