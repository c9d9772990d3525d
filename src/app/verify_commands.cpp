// Does a chain, a name or a record pass, by the very functions that a delivery uses?
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "app/answer.hpp"
#include "app/commands.hpp"
#include "app/offline_input.hpp"
#include "names/domain.hpp"
#include "pins/lint.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

// A record a line; '#' or, as in zone files, ';' begins a comment.
base::Result<std::vector<dane::Tlsa>> read_tlsa(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  std::vector<dane::Tlsa> out;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text->size(); ++number) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const std::string whole = text->substr(at, end - at);
    const std::string line = whole.substr(0, whole.find_first_of("#;"));
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto record = dane::Tlsa::parse_text(line);
    if (!record) {
      return base::fail("app.file", fmt::format("{}: line {}: {}", path, number + 1, record.error().detail));
    }
    record->well_formed = tls::well_formed(*record);
    out.push_back(std::move(*record));
  }
  return out;
}

// Each with its section.
using Problems = std::vector<std::string>;

// Names that no certificate can bear.
Problems name_problems(const std::vector<std::string>& given) {
  Problems out;
  for (const std::string& name : given) {
    if (const auto domain = names::Domain::parse(name); !domain) {
      out.push_back("RFC 6125 6.4: " + domain.error().detail);
    }
  }
  return out;
}

json::array array_of(const Problems& problems) {
  json::array out;
  for (const std::string& p : problems) out.emplace_back(p);
  return out;
}

// Why a dNSName names no host; empty: it does.
std::string san_problem(const std::string& san) {
  const bool wildcard = san.starts_with("*.");
  const std::string name = wildcard ? san.substr(2) : san;
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return c >= 0; });
  if (!ascii || name.ends_with('.') || !names::Domain::parse(name)) {
    return fmt::format("RFC 6125 6.4: '{}' is neither a name in A-labels nor one behind '*.'", san);
  }
  if (wildcard && name.find('.') == std::string::npos) {
    return fmt::format("RFC 6125 7.2: '{}' would stand for a whole top-level domain", san);
  }
  return {};
}

int answer(json::object out, bool yes, const Problems& problems) {
  out["ok"] = yes;
  out["problems"] = array_of(problems);
  print_json(std::move(out));
  return yes ? kYes : kNo;
}

int verify_tlsa(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto records = read_tlsa(request.tlsa);
  if (!records) return usage(records.error().detail);
  const tls::TlsaMatch match = tls::match_tlsa(chain, *records, request.names, at);
  const bool usable = !dane::usable(*records).empty();
  json::object out;
  out["usable"] = usable;
  out["matched"] = match.matched ? json::value(match.matched->str()) : json::value(nullptr);
  out["reason"] = match.reason;
  Problems problems = name_problems(request.names);
  for (const dane::Tlsa& r : *records) {
    if (const std::string why = dane::why_unusable(r); !why.empty()) problems.push_back(why);
  }
  if (!match.ok) problems.push_back((usable ? "RFC 7672 3.2: " : "RFC 7672 2.2: ") + match.reason);
  return answer(std::move(out), match.ok, problems);
}

int verify_webpki(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto roots = read_roots(request.roots);
  if (!roots) return usage(roots.error().detail);
  std::string why;
  for (const std::string& name : request.names) {
    why = tls::webpki_problem(chain, name, *roots, at);
    if (why.empty()) break;
  }
  json::object out;
  out["reason"] = why.empty() ? "a trusted CA vouches for the chain, and the leaf has the name" : why;
  Problems problems = name_problems(request.names);
  if (!why.empty()) problems.push_back("RFC 8461 4.2: " + why);
  return answer(std::move(out), why.empty(), problems);
}

int verify_pins(const VerifyRequest& request, const tls::PeerChain& chain, base::Time at) {
  const auto text = read_file(request.pins);
  if (!text) return usage(text.error().detail);
  const auto pin_list = pins::read_pins(*text);
  if (!pin_list) return usage(request.pins + ": " + pin_list.error().detail);
  const auto roots = read_roots(request.roots);
  if (!roots) return usage(roots.error().detail);
  const tls::PinMatch match = tls::match_pins(chain, *pin_list, request.names, &*roots, at);
  json::object out;
  out["matched"] = match.matched ? json::value(match.matched->str()) : json::value(nullptr);
  out["matched_as"] = !match.ok ? json::value(nullptr) : json::value(match.by_ca ? "ca" : "leaf");
  out["reason"] = match.reason;
  Problems problems = name_problems(request.names);
  if (!match.ok) problems.push_back("pinning-protocol 2: " + match.reason);
  return answer(std::move(out), match.ok, problems);
}

}  // namespace

int verify_chain(const VerifyRequest& request) {
  if ((request.pins.empty() ? 0 : 1) + (request.tlsa.empty() ? 0 : 1) + (request.webpki ? 1 : 0) != 1) {
    return usage("verify chain: one of --pins FILE, --tlsa FILE and --webpki is expected");
  }
  const std::string* const files[] = {&request.chain, &request.pins, &request.tlsa, &request.roots};
  if (std::count_if(std::begin(files), std::end(files), [](const auto* f) { return *f == "-"; }) > 1) {
    return usage("verify chain: standard input can be one of the files: name the others");
  }
  const auto chain = read_chain(request.chain);
  if (!chain) return usage(chain.error().detail);
  const auto at = read_time(request.time);
  if (!at) return usage(at.error().detail);
  if (request.webpki) return verify_webpki(request, *chain, *at);
  return request.tlsa.empty() ? verify_pins(request, *chain, *at) : verify_tlsa(request, *chain, *at);
}

int lint_tlsa(const std::string& file, bool as_json) {
  const auto text = read_file(file);
  if (!text) return usage(text.error().detail);
  auto record = dane::Tlsa::parse_text(*text);
  std::string problem = record ? std::string() : record.error().detail;
  if (record) {
    record->well_formed = tls::well_formed(*record);
    problem = dane::why_unusable(*record);
  }
  // Not known numbers are valid and unusable; data that cannot be what it is said to be is neither.
  const bool usable = record && problem.empty();
  if (as_json) {
    json::object out;
    out["valid"] = record.has_value();
    out["usable"] = usable;
    if (record) {
      out["usage"] = record->usage;
      out["selector"] = record->selector;
      out["matching_type"] = record->matching;
      out["data"] = record->str().substr(record->str().rfind(' ') + 1);
    }
    out["problems"] = problem.empty() ? json::array() : json::array{json::value(problem)};
    print_json(std::move(out));
  } else {
    fmt::print("{}\n", usable   ? "valid, and usable for SMTP"
                       : record ? "valid, but UNUSABLE for SMTP"
                                : "INVALID");
    if (!problem.empty()) fmt::print("  problem: {}\n", printable(problem));
  }
  return record ? kYes : kNo;
}

int match_name(std::vector<std::string> names, std::string host, bool as_json) {
  // "--san A B HOST": the option took them all.
  if (host.empty() && names.size() > 1) {
    host = names.back();
    names.pop_back();
  }
  if (host.empty() || names.empty()) return usage("match name: --san NAME... and a HOST are expected");
  const bool match = tls::name_matches(names, host);
  Problems problems = name_problems({host});
  for (const std::string& san : names) {
    if (const std::string why = san_problem(san); !why.empty()) problems.push_back(why);
  }
  if (as_json) {
    json::object out;
    out["match"] = match;
    out["problems"] = array_of(problems);
    print_json(std::move(out));
  } else {
    fmt::print("{}\n", match ? "matches" : "does not match");
    for (const std::string& p : problems) fmt::print("  problem: {}\n", printable(p));
  }
  return match ? kYes : kNo;
}

}  // namespace pinnace::app
