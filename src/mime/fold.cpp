#include "mime/fold.hpp"

#include <algorithm>

namespace pinnace::mime {

std::string one_line(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < ' ' || octet == 0x7f) c = ' ';
    if (octet > 0x7f) c = '?';
  }
  return out;
}

std::string wrapped(std::string_view text, std::string_view indent) {
  constexpr std::size_t kWidth = 76, kLongestWord = 500;
  std::string out;
  std::size_t column = 0;  // 0: no word is on the line yet
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, std::min(end, kLongestWord));
    text.remove_prefix(word.size() == end ? std::min(end + 1, text.size()) : word.size());
    if (word.empty()) continue;
    if (column != 0 && column + 1 + word.size() > kWidth) {
      out += "\r\n";
      column = 0;
    }
    const std::string_view before = column == 0 ? indent : " ";
    out.append(before).append(word);
    column += before.size() + word.size();
  }
  if (column != 0) out += "\r\n";
  return out;
}

}  // namespace pinnace::mime
