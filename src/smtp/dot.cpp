#include "smtp/dot.hpp"

#include <algorithm>
#include <cstring>

namespace pinnace::smtp {
namespace {

// How many octets of `text` stand before the first `c`; all of them where there is none.
std::size_t span_before(std::string_view text, char c) {
  const void* const found = text.empty() ? nullptr : std::memchr(text.data(), c, text.size());
  return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) : text.size();
}

}  // namespace

void DotReader::count(std::size_t octets) {
  line_ += octets;
  longest_ = std::max(longest_, line_);
}

void DotReader::take(std::string_view text, std::string& out) {
  nul_ = nul_ || span_before(text, '\0') < text.size();
  out += text;
}

std::size_t DotReader::read(std::string_view in, std::string& out) {
  std::size_t at = 0;
  std::size_t from = 0;  // [from, at) is text not yet appended
  while (at < in.size() && !ended_) {
    if (line_start_ && in[at] == '.') {
      const std::string_view behind = in.substr(at + 1, 2);
      if (behind.empty() || behind == "\r") break;  // whether it is the end is still to come
      take(in.substr(from, at - from), out);
      from = ++at;  // RFC 5321 4.5.2: the first dot of a line is taken away
      ended_ = behind == "\r\n";
      if (ended_) return at + 2;
    }
    line_start_ = false;
    // Up to the next CR and not the next LF: each octet is looked at twice, whatever a sender makes up.
    const std::string_view left = in.substr(at);
    const std::size_t text = span_before(left, '\r');
    bare_ = bare_ || span_before(left.substr(0, text), '\n') < text;
    count(text);
    at += text;
    if (text == left.size() || text + 1 == left.size()) break;  // what follows the CR is still to come
    if (left[text + 1] == '\n') {
      at += 2;
      line_ = 0;
      line_start_ = true;
    } else {
      at += 1;
      count(1);
      bare_ = true;
    }
  }
  take(in.substr(from, at - from), out);
  return at;
}

bool LineEnds::feed(std::string_view text) {
  while (!text.empty()) {
    if (cr_ && text.front() != '\n') return false;
    if (cr_) text.remove_prefix(1);
    const std::size_t line = span_before(text, '\r');
    if (span_before(text.substr(0, line), '\n') < line) return false;
    cr_ = line < text.size();
    text.remove_prefix(line + (cr_ ? 1 : 0));
  }
  return true;
}

bool DotWriter::write(std::string_view text, std::string& out) {
  while (!text.empty()) {
    if (cr_) {
      if (text.front() != '\n') return false;
      out += '\n';
      text.remove_prefix(1);
      cr_ = false;
      line_start_ = true;
      continue;
    }
    // RFC 5321 4.5.2: a line that begins with a dot gets one more
    if (line_start_ && text.front() == '.') out += '.';
    line_start_ = false;
    const std::size_t line = span_before(text, '\r');
    if (span_before(text.substr(0, line), '\n') < line) return false;
    cr_ = line < text.size();
    const std::size_t octets = line + (cr_ ? 1 : 0);
    out += text.substr(0, octets);
    text.remove_prefix(octets);
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
