#include "tlsrpt/txt.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::tlsrpt {
namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr std::size_t kMaxUris = 100;

bool has_scheme(std::string_view uri, std::string_view scheme) {
  return uri.size() > scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), uri.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
         });
}

// RFC 3986 2: visible ASCII. Commas, semicolons and exclamation marks are escaped (RFC 8460 3).
bool is_uri(std::string_view uri) {
  return std::all_of(uri.begin(), uri.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '!' && c != '"' && c != '<' && c != '>';
  });
}

std::string_view trimmed(std::string_view s) {
  while (s.starts_with(' ') || s.starts_with('\t')) s.remove_prefix(1);
  while (s.ends_with(' ') || s.ends_with('\t')) s.remove_suffix(1);
  return s;
}

// False: one that is no URI at all, and the record is not valid.
bool add_uris(std::string_view list, Txt& txt, std::vector<std::string>& problems) {
  for (bool last = false; !last;) {
    const std::size_t comma = list.find(',');
    const std::string_view uri = trimmed(list.substr(0, comma));
    last = comma == std::string_view::npos;
    if (!last) list.remove_prefix(comma + 1);
    if (uri.find(':') == std::string_view::npos || !is_uri(uri)) {
      problems.emplace_back("RFC 8460 3: rua is a list of URIs with commas between them");
      return false;
    }
    if (!has_scheme(uri, "mailto:") && !has_scheme(uri, "https:")) {
      problems.emplace_back(
          "RFC 8460 3: a report goes to a mailto: or an https: URI: another one is ignored");
    } else if (txt.rua.size() < kMaxUris) {
      txt.rua.emplace_back(uri);
    }
  }
  return true;
}

}  // namespace

ParsedTxt parse_txt(std::span<const std::string> records) {
  ParsedTxt out;
  const auto problem = [&out](std::string what) { out.problems.push_back("RFC 8460 3: " + std::move(what)); };
  const auto fields = names::txt_fields(records, kVersion);
  if (!fields) {
    problem(fields.error().detail);
    return out;
  }
  Txt txt;
  bool good = true, has_rua = false;
  for (const names::TxtField& f : *fields) {
    if (f.name == "rua") {
      has_rua = true;
      good = add_uris(f.value, txt, out.problems) && good;
    } else if (names::is_extension_value(f.value)) {
      txt.extensions.push_back(f);
    } else {
      problem(fmt::format("the value of {} is empty, or has a blank, '=' or a control character", f.name));
      good = false;
    }
  }
  if (!has_rua) problem("rua is missing");
  if (has_rua && good && txt.rua.empty()) problem("no URI of rua can be reported to");
  if (good && !txt.rua.empty()) out.txt = std::move(txt);
  return out;
}

}  // namespace pinnace::tlsrpt
