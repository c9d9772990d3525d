// Whatever a peer replied and whatever headers a message had, its notification keeps its form: the same
// fields, three parts, no line too long, no bare CR or LF.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mime/dsn.hpp"
#include "mime/header.hpp"

namespace {

using namespace std::string_view_literals;

// The input's next part, up to a NUL.
std::string next(std::string_view& input) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const std::string part(input.substr(0, end));
  input.remove_prefix(std::min(end + 1, input.size()));
  return part;
}

std::size_t count_lines(std::string_view text, std::string_view beginning) {
  std::size_t n = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.size() > 998 || line.find_first_of("\r\n\0"sv) != std::string_view::npos) std::abort();
    if (line.starts_with(beginning)) ++n;
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mime = pinnace::mime;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  mime::DsnRecipient r;
  r.address = "to@x.test";
  r.status = next(input);
  r.reason = next(input);
  r.reply = next(input);
  r.remote_mta = next(input);
  mime::Dsn d;
  d.reporting_mta = "relay.test";
  d.to = "from@sender.test";
  d.queue_id = "q1";
  d.token = "t0";
  d.expired = size % 2 == 0;
  d.recipients = {r};
  d.returned = mime::header_of(input);

  const std::string text = mime::make_dsn(d).text;
  const std::size_t at = text.find("boundary=\"") + 10;
  const std::string boundary = "--" + text.substr(at, text.find('"', at) - at);
  if (count_lines(text, boundary) != 4 || count_lines(text, boundary + "--") != 1) std::abort();
  const std::string_view before_headers = std::string_view(text).substr(0, text.rfind("text/rfc822-headers"));
  for (const std::string_view field :
       {"To:", "From:", "Final-Recipient:", "Action:", "Status:", "Diagnostic-Code:"}) {
    if (count_lines(before_headers, field) != 1) std::abort();
  }
  if (before_headers.size() > 20'000) std::abort();
  return 0;
}
