#include "mime/missing_fields.hpp"

#include <algorithm>

#include "mime/field_line.hpp"

namespace pinnace::mime {
namespace {

bool names(std::string_view line, std::string_view field) {
  const std::string_view name = field_name(line);
  return std::equal(name.begin(), name.end(), field.begin(), field.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

}  // namespace

void MissingFields::end_header(std::string_view behind) {
  if (!signed_ && !date_.empty()) out_ += "Date: " + date_ + "\r\n";
  if (!signed_ && !message_id_.empty()) out_ += "Message-ID: " + message_id_ + "\r\n";
  out_ += behind;
  done_ = true;
}

void MissingFields::end_line() {
  const bool whole = line_.ends_with('\n');
  if (long_line_) {
    out_ += line_;
  } else if (line_ == "\r\n") {
    end_header(line_);
  } else if (!(continues(line_) && !first_) && field_name(line_).empty()) {
    // Text without a header, or without the empty line behind it: with it the fields stay fields.
    end_header("\r\n" + line_);
  } else {
    if (names(line_, "date")) date_.clear();
    if (names(line_, "message-id")) message_id_.clear();
    signed_ = signed_ || names(line_, "dkim-signature");
    out_ += line_;
  }
  first_ = false;
  long_line_ = !whole;
  line_.clear();
}

std::string_view MissingFields::pass(std::string_view text) {
  if (done_) return text;
  out_.clear();
  while (!done_ && !text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::size_t room = std::min(end, kMostLine - line_.size());
    line_ += text.substr(0, room);
    text.remove_prefix(room);
    if (line_.ends_with('\n') || line_.size() == kMostLine) end_line();
  }
  out_ += text;
  return out_;
}

std::string_view MissingFields::finish() {
  out_.clear();
  if (done_) return out_;
  if (!line_.empty()) end_line();
  if (!done_) end_header("");
  return out_;
}

}  // namespace pinnace::mime
