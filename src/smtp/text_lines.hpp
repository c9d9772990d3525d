// The lines of a text that comes without dots (BDAT, RFC 3030 2): what a relay must know of them to send the
// text on by DATA. Only CRLF ends a line, as in dot.hpp.
#pragma once

#include <cstddef>
#include <string_view>

namespace pinnace::smtp {

class TextLines {
 public:
  void read(std::string_view text);
  void end();  // no more comes: a CR at the very end stood alone

  bool bare_line_end() const { return bare_; }  // a CR or LF stood alone
  bool nul() const { return nul_; }
  std::size_t longest_line() const { return longest_; }  // octets, CRLF not counted

 private:
  void count(std::size_t octets);

  bool cr_ = false;  // the last octet was CR
  bool bare_ = false;
  bool nul_ = false;
  std::size_t line_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace pinnace::smtp
