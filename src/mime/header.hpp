// What a relay looks at in the text it passes on: the header, once, as it comes by.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::mime {

// Fed with a message in pieces cut anywhere (lines end in CRLF). Bounded: it keeps at most
// kMaxHeader octets, whole fields of them.
class HeaderScanner {
 public:
  static constexpr std::size_t kMaxHeader = 64 << 10;

  void feed(std::string_view text);

  int received() const { return received_; }     // Received fields so far (RFC 5321 6.3)
  bool eight_bit() const { return eight_bit_; }  // an octet above 127, in header or body
  // The header block, without the empty line; cut at a line where it is longer than kMaxHeader.
  const std::string& header() const { return header_; }

 private:
  void line(std::string_view text);
  std::string partial_;
  std::string header_;
  int received_ = 0;
  bool eight_bit_ = false;
  bool in_header_ = true;
  bool skipping_ = false;  // the rest of a line that is longer than the bound
};

// The header of a message whose whole text is at hand.
std::string header_of(std::string_view text);

}  // namespace pinnace::mime
