#include "sts/served.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::sts {

namespace {

// A line of the log and JSON hold it.
std::string shown(std::string_view content_type) {
  std::string out(content_type.substr(0, 80));
  std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

}  // namespace

bool is_text_plain(std::string_view content_type) {
  constexpr std::string_view kBlank = " \t";
  std::string_view type = content_type.substr(0, content_type.find(';'));
  type.remove_prefix(std::min(type.find_first_not_of(kBlank), type.size()));
  type = type.substr(0, type.find_last_not_of(kBlank) + 1);
  return std::ranges::equal(type, std::string_view("text/plain"), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 32) : a) == b;
  });
}

Served read_served(long status, std::string_view content_type, std::string_view body) {
  if (status != 200)
    return {std::nullopt, kFetchError, fmt::format("the policy host answers with {}", status)};
  if (!is_text_plain(content_type)) {
    return {std::nullopt, kInvalid, fmt::format("the policy is '{}', not text/plain", shown(content_type))};
  }
  ParsedPolicy parsed = parse_policy(body);
  if (!parsed.policy) {
    return {std::nullopt, kInvalid, parsed.problems.empty() ? "no policy" : parsed.problems.front()};
  }
  return {std::move(parsed.policy), {}, {}};
}

}  // namespace pinnace::sts
