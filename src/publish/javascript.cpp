#include "publish/javascript.hpp"

#include <fmt/format.h>

namespace pinnace::publish {

std::string js_string(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (c < ' ' || c > '~') {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string js_list(std::string_view name, std::span<const std::string> texts) {
  std::string out = fmt::format("const {} = [\n", name);
  for (const std::string& text : texts) out += fmt::format("  {},\n", js_string(text));
  return out + "]\n";
}

}  // namespace pinnace::publish
