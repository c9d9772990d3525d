#include "mime/dsn_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "mime/fold.hpp"

namespace pinnace::mime {
namespace {

bool eight_bit(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

std::string without_controls(std::string_view s) {
  std::string out(s);
  std::replace_if(out.begin(), out.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  return out;
}

// "ü" is "\x{FC}".
std::string embedded(std::string_view address) {
  std::string out;
  for (std::size_t i = 0; i < address.size(); ++i) {
    const auto lead = static_cast<unsigned char>(address[i]);
    if (lead < 0x80) {
      const bool plain =
          lead > ' ' && lead < 0x7f && std::string_view("\\+=").find(address[i]) == std::string_view::npos;
      out += plain ? std::string(1, address[i]) : fmt::format("\\x{{{:02X}}}", lead);
      continue;
    }
    const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    std::uint32_t point = lead & (0x3fU >> more);
    for (std::size_t k = 0; k < more && i + 1 < address.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(address[++i]) & 0x3f);
    }
    out += fmt::format("\\x{{{:X}}}", point);
  }
  return out;
}

// False: no character that an address may have.
bool append(std::uint32_t point, std::string& out) {
  if (point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0xd800 && point < 0xe000) ||
      point > 0x10ffff)
    return false;
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | point >> 12);
    tail(6);
  } else {
    out += static_cast<char>(0xf0 | point >> 18);
    tail(12);
    tail(6);
  }
  if (point >= 0x80) tail(0);
  return true;
}

// The way back; what does not conform is left as it is (RFC 6533 3).
std::string without_embedding(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (!text.substr(i).starts_with("\\x{")) {
      out += text[i++];
      continue;
    }
    const std::size_t end = text.find('}', i);
    std::uint32_t point = 0;
    if (end == std::string_view::npos) return std::string(text);
    const auto [at, code] = std::from_chars(text.data() + i + 3, text.data() + end, point, 16);
    if (code != std::errc{} || at != text.data() + end || !append(point, out)) return std::string(text);
    i = end + 1;
  }
  return out;
}

}  // namespace

std::string typed_address(std::string_view address, FieldText text) {
  if (!eight_bit(address)) return "rfc822; " + one_line(address);
  return "utf-8; " + (text == FieldText::utf8 ? without_controls(address) : embedded(address));
}

std::string original_address(std::string_view value, FieldText text) {
  const std::string line = one_line(value);
  const bool utf8 = line.size() > 6 && (line[0] | 32) == 'u' && (line[1] | 32) == 't' &&
                    (line[2] | 32) == 'f' && line.substr(3, 3) == "-8;";
  if (!utf8 || text == FieldText::ascii) return line;
  return line.substr(0, 6) + without_embedding(std::string_view(line).substr(6));
}

}  // namespace pinnace::mime
