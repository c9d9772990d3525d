#include "mime/tls_required.hpp"

namespace pinnace::mime {
namespace {

constexpr std::string_view kName = "tls-required";
constexpr std::size_t kOtherName = kName.size() + 1;  // matched_ of a name that is another

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

void TlsRequiredReader::feed(std::string_view text) {
  while (at_ != At::over && !text.empty()) {
    if (at_ == At::value && !ours_) {
      const std::size_t end = text.find('\n');  // another field's value may be long
      if (end == std::string_view::npos) return;
      text.remove_prefix(end);
    }
    take(text.front());
    text.remove_prefix(1);
  }
}

void TlsRequiredReader::take(char c) {
  switch (at_) {
    case At::line:
      return begin_line(c);
    case At::name:
      return take_name(c);
    case At::blanks:
      // RFC 5322 4.5: blanks may stand in front of the colon; RFC 8689 3 has none there.
      if (c == ':') at_ = At::value;
      if (c != ':' && !is_blank(c)) at_ = At::over;
      return;
    case At::value:
      return take_value(c);
    case At::over:
      return;
  }
}

void TlsRequiredReader::begin_line(char c) {
  if (is_blank(c) && in_field_) {
    // RFC 8689 3: a fold stands between colon and "No", not behind it.
    if (value_ != Value::none) value_ = Value::other;
    at_ = At::value;
    return;
  }
  // RFC 8689 3: more than one must not be there; where one is, it decided.
  if (c == '\r' || c == '\n' || ours_) {
    at_ = At::over;
    return;
  }
  in_field_ = true;
  matched_ = 0;
  at_ = At::name;
  take_name(c);
}

void TlsRequiredReader::take_name(char c) {
  if (c == ':') {
    ours_ = matched_ == kName.size();
    at_ = matched_ > 0 ? At::value : At::over;
  } else if (is_blank(c) && matched_ > 0) {
    at_ = At::blanks;
  } else if (c <= ' ' || c >= 0x7f) {
    at_ = At::over;
  } else if (matched_ < kName.size() && lower(c) == kName[matched_]) {
    ++matched_;
  } else {
    matched_ = kOtherName;
  }
}

void TlsRequiredReader::take_value(char c) {
  if (c == '\n') {
    at_ = At::line;
  } else if (!ours_ || c == '\r') {
    return;
  } else if (is_blank(c)) {
    if (value_ != Value::none) value_ = Value::other;
  } else if (value_ == Value::none && lower(c) == 'n') {
    value_ = Value::n;
  } else if (value_ == Value::n && lower(c) == 'o') {
    value_ = Value::no;
  } else {
    value_ = Value::other;
  }
}

}  // namespace pinnace::mime
