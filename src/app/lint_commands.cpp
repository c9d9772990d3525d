// `pinnace lint` of what a domain declares by DNS and HTTPS, and `pinnace match mx`.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "app/answer.hpp"
#include "app/commands.hpp"
#include "app/offline_input.hpp"
#include "names/domain.hpp"
#include "names/txt_strings.hpp"
#include "sts/policy.hpp"
#include "sts/txt.hpp"
#include "tlsrpt/txt.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

json::array array_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

json::object object_of(const std::vector<names::TxtField>& fields) {
  json::object out;
  for (const names::TxtField& f : fields) out.emplace(f.name, f.value);
  return out;
}

// `values`: the fields by their names in the RFC; empty where it is invalid.
int report(bool valid, json::object values, const std::vector<std::string>& problems, bool as_json) {
  if (as_json) {
    values["valid"] = valid;
    values["problems"] = array_of(problems);
    print_json(std::move(values));
  } else {
    fmt::print("{}\n", valid ? "valid" : "INVALID");
    for (const auto& [key, value] : values)
      fmt::print("  {}: {}\n", std::string(key), json::serialize(value));
    for (const std::string& p : problems) fmt::print("  problem: {}\n", printable(p));
  }
  return valid ? kYes : kNo;
}

// The TXT records of one name, a line each: the text, or quoted strings as zone files have them.
base::Result<std::vector<std::string>> read_records(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (auto joined = names::joined_strings(line)) line = std::move(*joined);
    if (!line.empty()) out.push_back(std::move(line));
    at = end + 1;
  }
  return out;
}

}  // namespace

int lint_sts_txt(const std::string& file, bool as_json) {
  const auto records = read_records(file);
  if (!records) return usage(records.error().detail);
  const sts::ParsedTxt parsed = sts::parse_txt(*records);
  json::object values;
  if (parsed.txt) {
    values["v"] = "STSv1";
    values["id"] = parsed.txt->id;
    values["extensions"] = object_of(parsed.txt->extensions);
  }
  return report(parsed.txt.has_value(), std::move(values), parsed.problems, as_json);
}

int lint_sts_policy(const std::string& file, bool as_json) {
  const auto body = read_file(file);
  if (!body) return usage(body.error().detail);
  const sts::ParsedPolicy parsed = sts::parse_policy(*body);
  json::object values;
  if (const auto& p = parsed.policy) {
    json::array mx, pins;
    for (const auto& pattern : p->mx) mx.emplace_back(pattern.str());
    for (const auto& pin : p->pins) pins.emplace_back(pin.str());
    values["version"] = "STSv1";
    values["mode"] = sts::to_string(p->mode);
    values["mx"] = std::move(mx);
    values["max_age"] = p->max_age.count();
    values["pin-sha256"] = std::move(pins);
    values["extensions"] = object_of(p->extensions);
  }
  return report(parsed.policy.has_value(), std::move(values), parsed.problems, as_json);
}

int lint_tlsrpt_txt(const std::string& file, bool as_json) {
  const auto records = read_records(file);
  if (!records) return usage(records.error().detail);
  const tlsrpt::ParsedTxt parsed = tlsrpt::parse_txt(*records);
  json::object values;
  if (parsed.txt) {
    values["v"] = "TLSRPTv1";
    values["rua"] = array_of(parsed.txt->rua);
    values["extensions"] = object_of(parsed.txt->extensions);
  }
  return report(parsed.txt.has_value(), std::move(values), parsed.problems, as_json);
}

int match_mx(const std::string& host, const std::vector<std::string>& patterns, bool as_json) {
  json::value by = nullptr;
  std::vector<std::string> problems;
  if (const auto name = names::Domain::parse(host); !name) {
    problems.push_back("RFC 8461 4.1: " + name.error().detail);
  }
  for (const std::string& text : patterns) {
    const auto pattern = names::MxPattern::parse(text);
    // What is no pattern matches nothing.
    if (!pattern) problems.push_back(fmt::format("'{}': {}", text, pattern.error().detail));
    if (by.is_null() && pattern && pattern->matches(host)) by = pattern->str();
  }
  const bool match = !by.is_null();
  if (as_json) {
    json::object out;
    out["match"] = match;
    out["pattern"] = by;
    out["problems"] = array_of(problems);
    print_json(std::move(out));
  } else {
    fmt::print("{}\n", match ? "matches" : "does not match");
    for (const std::string& p : problems) fmt::print("  problem: {}\n", printable(p));
  }
  return match ? kYes : kNo;
}

}  // namespace pinnace::app
