// Transparency of the message text (RFC 5321 4.5.2): dots in front of lines, and the
// end of data. Only CRLF is a line end, and only CRLF.CRLF the end, on both sides: a
// bare CR or LF that one server takes for a line end and the next does not is how
// messages are smuggled.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pinnace::smtp {

// The receiving side.
class DotReader {
 public:
  // Appends the message's octets to `out` and returns how many of `in` are done with. The rest, at
  // most 2 octets while the end is not there, must come again in front of what follows. After ended()
  // nothing is taken.
  std::size_t read(std::string_view in, std::string& out);

  bool ended() const { return ended_; }
  bool bare_line_end() const { return bare_; }  // a CR or LF stood alone
  bool nul() const { return nul_; }
  std::size_t longest_line() const { return longest_; }  // octets, CRLF not counted

 private:
  void count(std::size_t octets);
  void take(std::string_view text, std::string& out);

  bool line_start_ = true;
  bool ended_ = false;
  bool bare_ = false;
  bool nul_ = false;
  std::size_t line_ = 0;
  std::size_t longest_ = 0;
};

// The sending side.
class DotWriter {
 public:
  // Appends the text as it goes over the wire. False: a bare CR or LF, and nothing may be sent
  // any more (the connection must be dropped, as the message cannot be ended well).
  bool write(std::string_view text, std::string& out);
  // The end of data; ends an unfinished last line first. False as above.
  bool finish(std::string& out);

 private:
  bool line_start_ = true;
  bool cr_ = false;  // the last octet was CR
};

// For text that goes in chunks (RFC 3030), where nothing is stuffed.
class LineEnds {
 public:
  // False: a bare CR or LF. Pieces may be cut anywhere.
  bool feed(std::string_view text);
  bool whole() const { return !cr_; }  // else the last octet was a CR, and its LF is still to come

 private:
  bool cr_ = false;
};

}  // namespace pinnace::smtp
