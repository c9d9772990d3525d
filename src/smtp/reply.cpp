#include "smtp/reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pinnace::smtp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A CR or LF in a text would end the line and begin another of somebody else's making.
void append_clean(std::string& out, std::string_view text) {
  const std::size_t from = out.size();
  out += text;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(from), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
}

}  // namespace

std::string Reply::enhanced() const {
  if (lines.empty()) return {};
  // RFC 3463 2: class "." subject "." detail, of one and one to three digits each.
  const std::string_view text = lines.front();
  const std::string_view word = text.substr(0, text.find(' '));
  const std::size_t dot = word.find('.', 2);
  const auto number = [](std::string_view s) {
    return !s.empty() && s.size() <= 3 && std::all_of(s.begin(), s.end(), is_digit);
  };
  if (word.size() < 5 || word[0] != '0' + code / 100 || word[1] != '.' || dot == std::string_view::npos ||
      !number(word.substr(2, dot - 2)) || !number(word.substr(dot + 1))) {
    return {};
  }
  return std::string(word);
}

std::string Reply::text() const {
  std::string out = std::to_string(code);
  for (const std::string& line : lines) {
    out += ' ';
    append_clean(out, line);
  }
  return out;
}

std::string Reply::wire() const {
  constexpr std::size_t kRoom = 512 - std::string_view("250 \r\n").size();
  const std::string start = std::to_string(code);
  if (lines.empty()) return start + " \r\n";
  std::string out;
  for (const std::string& line : lines) {
    out += start;
    out += &line == &lines.back() ? ' ' : '-';
    append_clean(out, std::string_view(line).substr(0, kRoom));
    out += "\r\n";
  }
  return out;
}

void ReplyParser::clear() {
  buffer_.clear();
  at_ = 0;
  partial_ = {};
  partial_size_ = 0;
}

base::Result<bool> ReplyParser::take_line(std::string_view line) {
  if (line.size() < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) || line[0] < '2' ||
      line[0] > '5' || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
    return base::fail("smtp.reply", fmt::format("not an SMTP reply: '{}'", line.substr(0, 80)));
  }
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  // RFC 5321 4.2.1: every line of a reply has the same code.
  if (!partial_.lines.empty() && code != partial_.code) {
    return base::fail("smtp.reply",
                      fmt::format("a reply begins with {} and goes on with {}", partial_.code, code));
  }
  partial_size_ += line.size();
  if (partial_size_ > kMaxReply) return base::fail("smtp.reply", "a reply of more than 64 KiB");
  partial_.code = code;
  partial_.lines.emplace_back(line.size() > 4 ? line.substr(4) : std::string_view());
  return line.size() == 3 || line[3] == ' ';
}

base::Result<std::optional<Reply>> ReplyParser::next() {
  for (;;) {
    const std::string_view left = std::string_view(buffer_).substr(at_);
    const std::size_t end = left.find('\n');
    if (end == std::string_view::npos || end > kMaxLine) {
      if (left.size() > kMaxLine) return base::fail("smtp.reply", "a reply line of more than 2048 octets");
      buffer_.erase(0, at_);
      at_ = 0;
      return std::optional<Reply>();
    }
    if (end == 0 || left[end - 1] != '\r' || left.substr(0, end - 1).find('\r') != std::string_view::npos) {
      return base::fail("smtp.reply", "a reply line that does not end in CRLF");
    }
    auto complete = take_line(left.substr(0, end - 1));
    if (!complete) return std::unexpected(complete.error());
    at_ += end + 1;
    if (*complete) {
      Reply reply = std::exchange(partial_, {});
      partial_size_ = 0;
      return std::optional<Reply>(std::move(reply));
    }
  }
}

}  // namespace pinnace::smtp
