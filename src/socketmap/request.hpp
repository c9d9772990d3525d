// A lookup and its reply, socketmap_table(5): "map key" in, "OK value", "NOTFOUND " or a failure out.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pinnace::socketmap {

// Views of the payload that it was parsed from.
struct Request {
  std::string_view map;
  std::string_view key;

  // Error "socketmap.request": no request that Postfix would make.
  static base::Result<Request> parse(std::string_view payload);
};

// The space belongs to it: Postfix splits each reply there.
inline constexpr std::string_view kNotFound = "NOTFOUND ";

// Postfix defers the mail after each of them. The reason goes into its log: what could break a line of it,
// or is too long for one, is left out.
std::string temporary(std::string_view reason);  // "TEMP ..."
std::string timed_out(std::string_view reason);  // "TIMEOUT ..."
std::string permanent(std::string_view reason);  // "PERM ...": it is the configuration's fault

// As a netstring. What is no reply, or has more than `most` octets, becomes a temporary failure.
void append_reply(std::string& out, std::string_view reply, std::size_t most);

}  // namespace pinnace::socketmap
