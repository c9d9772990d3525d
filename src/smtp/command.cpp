#include "smtp/command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "names/mail_address.hpp"
#include "smtp/keyword.hpp"

namespace pinnace::smtp {
namespace {

std::string_view trim_right(std::string_view s) {
  while (s.ends_with(' ') || s.ends_with('\t')) s.remove_suffix(1);
  return s;
}

// Takes "<...>" off the front, minding quoted strings.
std::optional<std::string_view> take_path(std::string_view& s) {
  if (!s.starts_with('<')) return std::nullopt;
  bool quoted = false;
  for (std::size_t i = 1; i < s.size(); ++i) {
    if (quoted && s[i] == '\\') {
      ++i;
    } else if (s[i] == '"') {
      quoted = !quoted;
    } else if (s[i] == '>' && !quoted) {
      const std::string_view path = s.substr(1, i - 1);
      s.remove_prefix(i + 1);
      return path;
    }
  }
  return std::nullopt;
}

// RFC 5321 4.1.2: esmtp-keyword ["=" esmtp-value]. A value's '=' is let pass, as many write it.
base::Result<Parameter> parse_parameter(std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto in_name = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-';
  };
  const auto in_value = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; };
  Parameter p{keyword(name), {}, equals != std::string_view::npos};
  if (p.has_value) p.value = word.substr(equals + 1);
  if (name.empty() || name.front() == '-' || !std::all_of(name.begin(), name.end(), in_name) ||
      p.has_value == p.value.empty() || !std::all_of(p.value.begin(), p.value.end(), in_value)) {
    return base::fail("smtp.syntax", "a parameter is malformed");  // RFC 6531 3.7.4.2: no echo of UTF-8
  }
  return p;
}

// Each behind a space.
base::Result<std::vector<Parameter>> parse_parameters(std::string_view s) {
  constexpr std::size_t kMost = 20;
  std::vector<Parameter> out;
  while (!s.empty()) {
    if (s.front() != ' ') return base::fail("smtp.syntax", "a space must follow the path");
    s.remove_prefix(1);
    const std::string_view word = s.substr(0, s.find(' '));
    s.remove_prefix(word.size());
    if (word.empty()) continue;
    if (out.size() == kMost) return base::fail("smtp.syntax", "more than 20 parameters");
    auto parameter = parse_parameter(word);
    if (!parameter) return std::unexpected(parameter.error());
    out.push_back(std::move(*parameter));
  }
  return out;
}

// What stands between the brackets, and is not empty.
base::Result<names::MailAddress> parse_mailbox(std::string_view path) {
  constexpr std::size_t kMaxPath = 256;
  if (path.front() == '@') {
    const std::size_t colon = path.find(':');
    if (colon == std::string_view::npos)
      return base::fail("smtp.syntax", "a source route without an address");
    path.remove_prefix(colon + 1);  // RFC 5321 4.1.1.3: it is to be ignored
  }
  auto address = names::MailAddress::parse(path);
  if (!address) return base::fail("smtp.syntax", std::move(address.error().detail));
  // RFC 5321 4.5.3.1.3: with its brackets
  if (address->local().size() + address->domain().size() + 3 > kMaxPath)
    return base::fail("smtp.syntax", "the path has more than 256 octets");
  return address;
}

base::Result<PathArgument> parse_path(std::string_view argument, std::string_view prefix,
                                      std::string_view hostname) {
  if (keyword(argument.substr(0, prefix.size())) != prefix) {
    return base::fail("smtp.syntax", fmt::format("{}<address> is expected", prefix));
  }
  argument.remove_prefix(prefix.size());
  while (argument.starts_with(' ')) argument.remove_prefix(1);  // commonly sent, harmless
  auto path = take_path(argument);
  if (!path)
    return base::fail("smtp.syntax", fmt::format("{}<address> is expected, with its brackets", prefix));
  PathArgument out;
  auto parameters = parse_parameters(argument);
  if (!parameters) return std::unexpected(parameters.error());
  out.parameters = std::move(*parameters);
  if (path->empty()) {
    if (prefix == "FROM:") return out;
    return base::fail("smtp.syntax", "a recipient is expected between the brackets");
  }
  // RFC 5321 4.1.1.3: the postmaster needs no domain
  const bool postmaster = prefix == "TO:" && keyword(*path) == "POSTMASTER";
  auto address = parse_mailbox(postmaster ? fmt::format("postmaster@{}", hostname) : std::string(*path));
  if (!address) return std::unexpected(std::move(address.error()));
  out.path = address->str();
  // A domain in U-labels too is there for SMTPUTF8 alone (RFC 6531 3.3), whatever becomes of it here.
  out.ascii =
      std::all_of(path->begin(), path->end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return out;
}

}  // namespace

Command parse_command(std::string_view line) {
  static constexpr std::array<std::pair<std::string_view, Verb>, 16> kVerbs = {{
      {"HELO", Verb::helo},
      {"EHLO", Verb::ehlo},
      {"STARTTLS", Verb::starttls},
      {"MAIL", Verb::mail},
      {"RCPT", Verb::rcpt},
      {"DATA", Verb::data},
      {"BDAT", Verb::bdat},
      {"RSET", Verb::rset},
      {"NOOP", Verb::noop},
      {"QUIT", Verb::quit},
      {"VRFY", Verb::vrfy},
      {"EXPN", Verb::expn},
      {"HELP", Verb::help},
      {"ETRN", Verb::etrn},
      {"AUTH", Verb::auth},
      {"XCLIENT", Verb::xclient},
  }};
  line = trim_right(line);
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  Command command;
  if (space != std::string_view::npos) command.argument = line.substr(space + 1);
  if (word.size() > 8) return command;
  const std::string name = keyword(word);
  for (const auto& [text, verb] : kVerbs) {
    if (name == text) command.verb = verb;
  }
  return command;
}

base::Result<PathArgument> parse_mail(std::string_view argument) { return parse_path(argument, "FROM:", {}); }

base::Result<PathArgument> parse_rcpt(std::string_view argument, std::string_view hostname) {
  return parse_path(argument, "TO:", hostname);
}

std::optional<Chunk> parse_bdat(std::string_view argument) {
  Chunk chunk;
  const char* const last = argument.data() + argument.size();
  const auto [end, code] = std::from_chars(argument.data(), last, chunk.size);
  if (code != std::errc{}) return std::nullopt;
  const std::string marker = keyword(argument.substr(static_cast<std::size_t>(end - argument.data())));
  chunk.last = marker == " LAST";
  if (!chunk.last && !marker.empty()) return std::nullopt;
  return chunk;
}

}  // namespace pinnace::smtp
