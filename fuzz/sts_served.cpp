// What a policy host answers: its first line is taken for the status, its second for the media type. A
// policy, or a reason why there is none; never both.
#include <charconv>
#include <cstdint>
#include <cstdlib>

#include "sts/served.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view lines[2];
  for (std::string_view& line : lines) {
    line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  long status = 0;
  std::from_chars(lines[0].data(), lines[0].data() + lines[0].size(), status);
  const auto served = pinnace::sts::read_served(status, lines[1], text);
  if (served.policy.has_value() == !served.problem.empty()) std::abort();
  if (served.policy && (status != 200 || !pinnace::sts::is_text_plain(lines[1]))) std::abort();
  if (!served.policy && served.detail.empty()) std::abort();
  return 0;
}
