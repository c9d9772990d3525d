// What a server says it can in its EHLO reply (RFC 5321 4.1.1.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/reply.hpp"

namespace pinnace::smtp {

class Capabilities {
 public:
  Capabilities() = default;
  explicit Capabilities(const Reply& ehlo);  // the first line names the server and is no keyword

  bool has(std::string_view name) const;  // the keyword, in upper case, however the server wrote it
  // The parameters of every line with this keyword, in order: for "PKP MAX-AGE=60" it is "MAX-AGE=60".
  std::vector<std::string> parameters(std::string_view name) const;
  // RFC 1870 3: the most octets a message may have; nothing where none is said.
  std::optional<std::uint64_t> size_limit() const;

  struct Line {
    std::string keyword;  // upper case
    std::string parameters;
  };
  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

}  // namespace pinnace::smtp
