// Octets written so that every line is short and 7-bit: quoted-printable (RFC 2045 6.7) and base64 (6.8).
// After finish() an encoder is as new. `end_line`: the last line is ended, which adds nothing to what it
// says.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::mime {

// Of text whose lines end in CRLF; a CR or LF alone is kept as it is too. Fed in pieces cut anywhere; keeps
// no more than an octet of each.
class QuotedPrintableEncoder {
 public:
  void feed(std::string_view text, std::string& out);
  void finish(bool end_line, std::string& out);

 private:
  void put(char c, std::string& out);
  void put_blank(bool at_line_end, std::string& out);

  std::size_t column_ = 0;
  char blank_ = 0;   // the last octet, not yet written: whether it ends its line is still to come
  bool cr_ = false;  // so was a CR
};

// Of any octets.
class Base64Encoder {
 public:
  void feed(std::string_view octets, std::string& out);
  void finish(bool end_line, std::string& out);

 private:
  void put(std::string_view octets, std::string& out);

  std::string line_;  // octets of a line that is not full
  bool first_ = true;
};

}  // namespace pinnace::mime
