#include "tlsrpt/txt.hpp"

#include <fmt/format.h>

#include "tlsrpt/uri.hpp"

namespace pinnace::tlsrpt {
namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr std::size_t kMaxUris = 100;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri): blanks stand beside commas only. False: one is no URI at all, and
// the record is not valid.
bool add_uris(std::string_view list, Txt& txt, std::vector<std::string>& problems) {
  for (bool last = false, first = true; !last; first = false) {
    const std::size_t comma = list.find(',');
    last = comma == std::string_view::npos;
    std::string_view uri = list.substr(0, comma);
    if (!last) list.remove_prefix(comma + 1);
    while (!first && !uri.empty() && is_blank(uri.front())) uri.remove_prefix(1);
    while (!last && !uri.empty() && is_blank(uri.back())) uri.remove_suffix(1);
    const UriKind kind = uri_kind(uri);
    if (kind == UriKind::none) {
      problems.emplace_back(
          "RFC 8460 3: rua is a list of URIs with commas between them; ',', '!' and ';' within one are "
          "escaped");
      return false;
    }
    if (kind == UriKind::other) {
      problems.emplace_back(
          "RFC 8460 3: a report goes to a mailto: or an https: URI: another one is ignored");
    } else if (txt.rua.size() < kMaxUris) {
      txt.rua.emplace_back(uri);
    } else {
      problems.push_back(fmt::format("RFC 8460 3: more than {} URIs: the rest is ignored", kMaxUris));
      return true;
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
    } else if (!names::is_extension_value(f.value)) {
      problem(
          fmt::format("the value of {} is empty, or has '=' or what is not visible US-ASCII in it", f.name));
      good = false;
    } else if (!names::add_first(txt.extensions, f)) {
      problem(fmt::format("{} occurs more than once: all but the first are ignored", f.name));
    }
  }
  if (!has_rua) problem("rua is missing");
  if (has_rua && good && txt.rua.empty()) problem("no URI of rua can be reported to");
  if (good && !txt.rua.empty()) out.txt = std::move(txt);
  return out;
}

}  // namespace pinnace::tlsrpt
