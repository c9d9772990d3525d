// SMTP replies (RFC 5321 4.2) and the enhanced status codes in them (RFC 2034, 3463).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pinnace::smtp {

struct Reply {
  int code = 0;                    // 200 to 599
  std::vector<std::string> lines;  // each line's text, an enhanced code still in front

  static Reply make(int code, std::string text) { return {code, {std::move(text)}}; }

  bool completed() const { return code < 300; }  // RFC 5321 4.2.1: 2yz, what was asked is done
  bool positive() const { return code < 400; }
  bool transient() const { return code >= 400 && code < 500; }
  bool permanent() const { return code >= 500; }
  // "4.7.5", or empty where the first line has none that agrees with the code.
  std::string enhanced() const;
  // All lines in one, for people and logs: "550 5.1.1 no such user". Control characters become '?'.
  std::string text() const;
  // As it goes over the wire: whatever the text holds, one reply. Control characters become '?',
  // lines are cut to 512 octets (RFC 5321 4.5.3.1.5).
  std::string wire() const;
};

// Takes a server's bytes, cut anywhere, and gives whole replies. Lines end in CRLF and nothing
// else. A line may have 2,048 octets (RFC 5321 4.5.3.1.5 promises 512; some servers write more)
// and a reply 64 KiB; beyond that it is an error, and so is everything after an error.
class ReplyParser {
 public:
  static constexpr std::size_t kMaxLine = 2048;
  static constexpr std::size_t kMaxReply = 64 << 10;

  void receive(std::string_view bytes) { buffer_.append(bytes); }
  // A reply; or nothing while it is incomplete. Error "smtp.reply".
  base::Result<std::optional<Reply>> next();
  // Octets received that belong to no reply taken so far.
  bool pending() const { return at_ < buffer_.size() || !partial_.lines.empty(); }
  void clear();

 private:
  base::Result<bool> take_line(std::string_view line);  // true: the reply is complete
  std::string buffer_;
  std::size_t at_ = 0;
  Reply partial_;
  std::size_t partial_size_ = 0;
};

}  // namespace pinnace::smtp
