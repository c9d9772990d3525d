#include "pins/lint.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::pins {
namespace {

std::string upper(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

// Calls fn(number, line) for each line, its end taken away.
template <class F>
void each_line(std::string_view text, F fn) {
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    fn(++number, line);
  }
}

std::string_view without_code(std::string_view line) {
  if (line.size() > 4 && line.substr(0, 3) == "250" && (line[3] == '-' || line[3] == ' '))
    line.remove_prefix(4);
  return line;
}

}  // namespace

EhloText read_ehlo_text(std::string_view text) {
  EhloText out;
  each_line(text, [&](int number, std::string_view line) {
    const std::string_view body = without_code(line);
    const std::size_t space = std::min(body.find(' '), body.size());
    const std::string keyword = upper(body.substr(0, space));
    if (keyword != "PKP" && keyword != "STSEC") return;
    // RFC 5321 4.5.3.1.5 counts the code and the CRLF.
    if (body.size() + 6 > 512) out.problems.push_back(fmt::format("line {}: more than 512 octets", number));
    (keyword == "PKP" ? out.pkp : out.stsec).emplace_back(body.substr(std::min(space + 1, body.size())));
  });
  return out;
}

Lint lint(std::string_view text) {
  Lint out;
  EhloText ehlo = read_ehlo_text(text);
  out.problems = std::move(ehlo.problems);
  if (ehlo.pkp.empty()) {
    out.problems.emplace_back("there is no PKP line");
  } else {
    out.parsed = parse_advert(ehlo.pkp);
    out.problems.insert(out.problems.end(), out.parsed.problems.begin(), out.parsed.problems.end());
  }
  for (const std::string& parameters : ehlo.stsec) {
    auto stsec = parse_stsec(parameters);
    if (!stsec || (out.stsec && out.stsec->max_age != stsec->max_age)) {
      out.problems.push_back(stsec ? "STSEC occurs twice with different values" : stsec.error().detail);
    } else {
      out.stsec = *stsec;
    }
  }
  out.valid = out.parsed.advert.has_value();
  return out;
}

base::Result<std::vector<Pin>> read_pins(std::string_view text) {
  std::vector<Pin> out;
  std::string problem;
  each_line(text, [&](int number, std::string_view line) {
    line = without_code(line.substr(0, line.find('#')));
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    while (line.starts_with(' ') || line.starts_with('\t')) line.remove_prefix(1);
    if (line.empty()) return;
    std::size_t found = 0;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t end = std::min(line.find_first_of(" \t,;", at), line.size());
      std::string_view word = line.substr(at, end - at);
      at = end + 1;
      const std::string name = upper(word);
      for (const std::string_view prefix : {"PIN-SHA256=", "PIN-SHA256:", "SHA256="}) {
        if (!name.starts_with(prefix)) continue;
        word.remove_prefix(prefix.size());
        if (word.size() > 1 && word.front() == '"' && word.back() == '"')
          word = word.substr(1, word.size() - 2);
        break;
      }
      if (const auto pin = Pin::parse(word)) {
        out.push_back(*pin);
        ++found;
      } else if (name.starts_with("PIN-SHA256=") || name.starts_with("SHA256=")) {
        problem = fmt::format("line {}: not the base64 of 32 octets", number);
      }
    }
    const std::string keyword = upper(line.substr(0, line.find(' ')));
    if (found == 0 && keyword != "PKP" && keyword != "STSEC" && problem.empty()) {
      problem = fmt::format("line {}: neither a pin nor an EHLO line with one", number);
    }
  });
  if (!problem.empty()) return base::fail("pins.file", problem);
  if (out.empty()) return base::fail("pins.file", "there is no pin in it");
  return out;
}

}  // namespace pinnace::pins
