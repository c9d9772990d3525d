#include "smtp/capabilities.hpp"

#include <algorithm>
#include <charconv>

#include "smtp/keyword.hpp"

namespace pinnace::smtp {

Capabilities::Capabilities(const Reply& ehlo) {
  for (std::size_t i = 1; i < ehlo.lines.size(); ++i) {
    const std::string& text = ehlo.lines[i];
    const std::size_t space = text.find(' ');
    lines_.push_back({keyword(std::string_view(text).substr(0, space)),
                      space == std::string::npos ? "" : text.substr(space + 1)});
  }
}

bool Capabilities::has(std::string_view name) const {
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& l) { return l.keyword == name; });
}

std::vector<std::string> Capabilities::parameters(std::string_view name) const {
  std::vector<std::string> out;
  for (const Line& line : lines_) {
    if (line.keyword == name) out.push_back(line.parameters);
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
