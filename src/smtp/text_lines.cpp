#include "smtp/text_lines.hpp"

#include <algorithm>

namespace pinnace::smtp {

void TextLines::count(std::size_t octets) {
  line_ += octets;
  longest_ = std::max(longest_, line_);
}

void TextLines::read(std::string_view text) {
  nul_ = nul_ || text.find('\0') != std::string_view::npos;
  while (!text.empty()) {
    if (cr_) {
      cr_ = false;
      if (text.front() == '\n') {
        line_ = 0;
        text.remove_prefix(1);
        continue;
      }
      count(1);
      bare_ = true;
    }
    const std::string_view line = text.substr(0, text.find('\r'));
    bare_ = bare_ || line.find('\n') != std::string_view::npos;
    count(line.size());
    cr_ = line.size() < text.size();
    text.remove_prefix(line.size() + (cr_ ? 1 : 0));
  }
}

void TextLines::end() {
  bare_ = bare_ || cr_;
  cr_ = false;
}

}  // namespace pinnace::smtp
