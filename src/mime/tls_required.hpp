// Whether the originator asks that mail rather goes unprotected than not at all: the header field
// "TLS-Required: No" (RFC 8689 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pinnace::mime {

// Fed with a message in pieces cut anywhere (lines end in CRLF). Keeps nothing of the text. The header ends
// with the empty line, or with a line that is no field: nothing behind it can take protection away.
class TlsRequiredReader {
 public:
  void feed(std::string_view text);

  // What the field said, of all that came so far; of several fields only the first counts.
  bool no() const { return ours_ && value_ == Value::no && (at_ == At::line || at_ == At::over); }

 private:
  enum class At : std::uint8_t { line, name, blanks, value, over };
  enum class Value : std::uint8_t { none, n, no, other };

  void take(char c);
  void begin_line(char c);
  void take_name(char c);
  void take_value(char c);

  At at_ = At::line;
  Value value_ = Value::none;
  bool in_field_ = false;    // a line can be continued
  bool ours_ = false;        // the field is TLS-Required
  std::size_t matched_ = 0;  // octets of its name
};

}  // namespace pinnace::mime
