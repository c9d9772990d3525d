#include "names/domain.hpp"

#include <fmt/format.h>
#include <idn2.h>

#include <algorithm>

namespace pinnace::names {
namespace {

bool is_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_label_octet(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// RFC 1035 2.3.4 and RFC 5321 4.5.3.1.2: 63 octets a label, 253 in all as text.
bool is_name(std::string_view s) {
  if (s.empty() || s.size() > 253) return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= s.size(); ++i) {
    if (i < s.size() && s[i] != '.') {
      if (!is_label_octet(s[i])) return false;
      continue;
    }
    const std::string_view text = s.substr(label, i - label);
    if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
    label = i + 1;
  }
  // RFC 3696 2: a top-level label is not all digits; 192.0.2.1 is an address, not a name.
  const std::string_view top = s.substr(s.rfind('.') + 1);
  return !std::all_of(top.begin(), top.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string shown(std::string_view text) {
  std::string out(text.substr(0, 80));
  std::replace_if(out.begin(), out.end(), [](char c) { return c >= 0 && (c < ' ' || c == 0x7f); }, '?');
  return out;
}

}  // namespace

base::Result<Domain> Domain::parse(std::string_view text) {
  const auto bad = [&] {
    return base::fail("names.domain", fmt::format("'{}' is not a domain name", shown(text)));
  };
  if (text.size() > 1024) return bad();
  std::string name(text);
  if (!is_ascii(text)) {
    char* converted = nullptr;
    // IDNA2008 (RFC 5891), after Unicode normalization; Domain always holds A-labels.
    if (name.find('\0') != std::string::npos ||
        idn2_to_ascii_8z(name.c_str(), &converted, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK) {
      return bad();
    }
    name = converted;
    idn2_free(converted);
  }
  if (name.ends_with('.')) name.pop_back();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (!is_name(name)) return bad();
  return Domain(std::move(name));
}

}  // namespace pinnace::names
