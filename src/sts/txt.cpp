#include "sts/txt.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::sts {
namespace {

constexpr std::string_view kVersion = "v=STSv1";

bool is_id(std::string_view s) {
  return !s.empty() && s.size() <= 32 && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

ParsedTxt parse_txt(std::span<const std::string> records) {
  ParsedTxt out;
  const auto problem = [&out](std::string what) {
    out.problems.push_back("RFC 8461 3.1: " + std::move(what));
  };
  const auto fields = names::txt_fields(records, kVersion);
  if (!fields) {
    problem(fields.error().detail);
    return out;
  }
  Txt txt;
  bool good = true, has_id = false;
  for (const names::TxtField& f : *fields) {
    if (f.name == "id" && !has_id) {
      has_id = true;
      txt.id = f.value;
      if (is_id(f.value)) continue;
      problem("id is 1 to 32 letters and digits");
      good = false;
    } else if (!names::is_extension_value(f.value)) {
      problem(
          fmt::format("the value of {} is empty, or has '=' or what is not visible US-ASCII in it", f.name));
      good = false;
    } else if (f.name == "id" || !names::add_first(txt.extensions, f)) {
      out.problems.push_back(
          fmt::format("RFC 8461 3.2: {} occurs more than once: all but the first are ignored", f.name));
    }
  }
  if (!has_id) problem("id is missing");
  if (good && has_id) out.txt = std::move(txt);
  return out;
}

}  // namespace pinnace::sts
