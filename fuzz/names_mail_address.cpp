// A parsed address prints to a text that parses to itself, and holds no control character.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "names/mail_address.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pinnace::names::MailAddress;
  const auto parsed = MailAddress::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  const std::string text = parsed->str();
  if (MailAddress::parse(text) != *parsed) std::abort();
  for (const char c : text) {
    if (c >= 0 && c < ' ') std::abort();
  }
  return 0;
}
