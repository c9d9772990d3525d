// What a relay looks at in the text it passes on: the header, once, as it comes by.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mime/tls_required.hpp"

namespace pinnace::mime {

// Fed with a message in pieces cut anywhere (lines end in CRLF). Keeps nothing of it but a line's first
// octets; behind the header it only looks for octets above 127.
class HeaderScanner {
 public:
  void feed(std::string_view text);

  std::size_t received() const { return received_; }  // Received fields so far (RFC 5321 6.3)
  // RFC 8689 3: the header has the field "TLS-Required: No".
  bool tls_required_no() const { return tls_required_.no(); }
  bool eight_bit() const { return eight_bit_; }  // an octet above 127, in header or body

 private:
  void end_line();
  std::string begin_;  // of the line under way, as much as tells what it is
  std::size_t received_ = 0;
  TlsRequiredReader tls_required_;
  bool eight_bit_ = false;
  bool in_header_ = true;
};

// The header block that `text` begins with, without the empty line behind it: never a line of the body,
// even where nothing parts the two. One longer than kMaxHeader, or than `text`, is cut between two fields.
// The view is into `text`.
inline constexpr std::size_t kMaxHeader = 64 << 10;
std::string_view header_of(std::string_view text);

}  // namespace pinnace::mime
