#include "smtp/capabilities.hpp"

#include <algorithm>
#include <charconv>

namespace pinnace::smtp {

Capabilities::Capabilities(const Reply& ehlo) {
  for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
    const std::string& text = ehlo.lines[i];
    const std::size_t space = text.find(' ');
    Line line{text.substr(0, space), space == std::string::npos ? "" : text.substr(space + 1)};
    std::transform(line.keyword.begin(), line.keyword.end(), line.keyword.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    lines_.push_back(std::move(line));
  }
}

bool Capabilities::has(std::string_view keyword) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& l) { return l.keyword == keyword; });
}

std::vector<std::string> Capabilities::parameters(std::string_view keyword) const {
  std::vector<std::string> out;
  for (const Line& line : lines_) {
    if (line.keyword == keyword) out.push_back(line.parameters);
  }
  return out;
}

std::optional<std::uint64_t> Capabilities::size_limit() const {
  for (const std::string& text : parameters("SIZE")) {
    std::uint64_t limit = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (code == std::errc{} && end == text.data() + text.size() && limit > 0) return limit;
  }
  return std::nullopt;
}

}  // namespace pinnace::smtp
