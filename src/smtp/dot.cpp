#include "smtp/dot.hpp"

#include <algorithm>
#include <cstring>

namespace pinnace::smtp {

void DotReader::end_line(std::size_t octets) {
  longest_ = std::max(longest_, line_ + octets);
  line_ = 0;
}

std::size_t DotReader::read(std::string_view in, std::string& out) {
  std::size_t at = 0;
  std::size_t from = 0;  // [from, at) is text not yet appended
  const auto flush = [&] { out.append(in.substr(from, at - from)); };
  while (at < in.size() && !ended_) {
    if (line_start_ && in[at] == '.') {
      const std::size_t left = in.size() - at;
      if (left < 2 || (in[at + 1] == '\r' && left < 3)) break;
      flush();
      if (in[at + 1] == '\r' && in[at + 2] == '\n') {
        ended_ = true;
        return at + 3;
      }
      from = ++at;  // RFC 5321 4.5.2: the first dot of a line is taken away
    }
    line_start_ = false;
    const char* const start = in.data() + at;
    const std::size_t left = in.size() - at;
    const auto* lf = static_cast<const char*>(std::memchr(start, '\n', left));
    const std::size_t span = lf ? static_cast<std::size_t>(lf - start) : left;
    const auto* cr = static_cast<const char*>(std::memchr(start, '\r', span));
    if (!cr) {
      bare_ = bare_ || lf;
      line_ += span + (lf ? 1 : 0);
      longest_ = std::max(longest_, line_);
      at += span + (lf ? 1 : 0);
      continue;
    }
    const auto text = static_cast<std::size_t>(cr - start);
    if (text + 1 == left) {  // what follows the CR is still to come
      line_ += text;
      at += text;
      flush();
      return at;
    }
    if (start[text + 1] == '\n') {
      end_line(text);
      line_start_ = true;
      at += text + 2;
    } else {
      bare_ = true;
      line_ += text + 1;
      at += text + 1;
    }
  }
  flush();
  return at;
}

bool DotWriter::write(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (cr_) {
      if (text[at] != '\n') return false;
      out += '\n';
      ++at;
      cr_ = false;
      line_start_ = true;
      continue;
    }
    if (line_start_ && text[at] == '.') out += '.';
    line_start_ = false;
    const char* const start = text.data() + at;
    const std::size_t left = text.size() - at;
    const auto* lf = static_cast<const char*>(std::memchr(start, '\n', left));
    const std::size_t span = lf ? static_cast<std::size_t>(lf - start) : left;
    const auto* cr = static_cast<const char*>(std::memchr(start, '\r', span));
    if (!cr) {
      if (lf) return false;
      out.append(start, span);
      return true;
    }
    const auto n = static_cast<std::size_t>(cr - start) + 1;
    out.append(start, n);
    at += n;
    cr_ = true;
  }
  return true;
}

bool DotWriter::finish(std::string& out) {
  if (cr_) return false;
  if (!line_start_) out += "\r\n";
  out += ".\r\n";
  line_start_ = true;
  return true;
}

}  // namespace pinnace::smtp
