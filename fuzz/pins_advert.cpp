// Any EHLO text: what parses as an advert is written and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "pins/lint.hpp"

using namespace pinnace::pins;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)read_pins(text);
  const Lint found = lint(text);
  if (!found.valid) {
    if (found.problems.empty()) std::abort();
    return 0;
  }
  const Advert& advert = *found.parsed.advert;
  if (advert.pins.size() > kMaxPins) std::abort();
  std::vector<std::string> lines;
  for (const std::string& line : ehlo_lines(advert)) lines.push_back(line.substr(4));
  if (parse_advert(lines).advert != advert) std::abort();
  return 0;
}
