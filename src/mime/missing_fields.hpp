// Adds to the header of a message that was submitted what it lacks: Date and Message-ID (RFC 6409 8.2, 8.3).
// A header that bears a DKIM signature is left as it is, since the signature may cover what is not there.
#pragma once

#include <string>
#include <string_view>

namespace pinnace::mime {

class MissingFields {
 public:
  // The fields' values, for where they are lacking.
  MissingFields(std::string date, std::string message_id)
      : date_(std::move(date)), message_id_(std::move(message_id)) {}

  // What of the message is to be written, given its next piece, cut anywhere. Valid until the next call,
  // and as long as `text` is. Holds back at most kMostLine octets.
  std::string_view pass(std::string_view text);
  // The rest, behind the last piece.
  std::string_view finish();

 private:
  static constexpr std::size_t kMostLine = 4096;
  void end_line();
  void end_header(std::string_view behind);

  std::string date_;
  std::string message_id_;
  std::string line_;  // of the header, so far
  std::string out_;
  bool long_line_ = false;  // its beginning was let go already
  bool first_ = true;
  bool done_ = false;
  bool signed_ = false;
};

}  // namespace pinnace::mime
