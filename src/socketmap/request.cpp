#include "socketmap/request.hpp"

#include <algorithm>

#include "socketmap/netstring.hpp"

namespace pinnace::socketmap {
namespace {

constexpr std::size_t kMostReason = 200;  // of which Postfix logs no more

bool is_control(char c) { return (c >= 0 && c < ' ') || c == 0x7f; }

std::string failure(std::string_view code, std::string_view reason) {
  std::string out(code);
  out.append(reason.substr(0, kMostReason));
  std::replace_if(out.begin(), out.end(), is_control, '?');
  return out;
}

bool is_reply(std::string_view text) {
  for (const std::string_view code : {"OK ", "NOTFOUND ", "TEMP ", "TIMEOUT ", "PERM "}) {
    if (text.starts_with(code)) return true;
  }
  return false;
}

}  // namespace

base::Result<Request> Request::parse(std::string_view payload) {
  const auto space = payload.find(' ');
  if (space == 0 || space == std::string_view::npos || space + 1 == payload.size()) {
    return base::fail("socketmap.request", "a request is the map's name, a space and a key");
  }
  if (std::any_of(payload.begin(), payload.end(), is_control)) {
    return base::fail("socketmap.request", "a request has control characters");
  }
  return Request{payload.substr(0, space), payload.substr(space + 1)};
}

std::string temporary(std::string_view reason) { return failure("TEMP ", reason); }
std::string timed_out(std::string_view reason) { return failure("TIMEOUT ", reason); }
std::string permanent(std::string_view reason) { return failure("PERM ", reason); }

void append_reply(std::string& out, std::string_view reply, std::size_t most) {
  if (!is_reply(reply)) reply = "TEMP what was found is no answer";
  if (reply.size() > most) reply = "TEMP the answer is longer than Postfix takes";
  append_netstring(out, reply);
}

}  // namespace pinnace::socketmap
