// What `pinnace check` has to say of a domain: lines, each with a verdict and, where it is not good, with
// what an operator can do. Pure: facts in, lines out. Texts hold what peers said: hostile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/facts.hpp"

namespace pinnace::check {

// In the order of their weight.
enum class Verdict : std::uint8_t {
  good,
  note,          // nothing is wrong; something could be better
  warning,       // mail arrives, and something is wrong
  would_defer,   // mail is held up by it
  would_bounce,  // mail fails for good
};
std::string_view to_string(Verdict verdict);  // "good", "note", "warning", "would-defer", "would-bounce"

enum class Item : std::uint8_t {
  mx,
  sts,
  tlsrpt,
  protection,
  address,
  connection,
  tls,
  certificate,
  dane,
  pkp,
  stsec,
  requiretls,
  policy,
};
std::string_view to_string(Item item);  // for programs: "mx", "mta-sts", ...
std::string_view label(Item item);      // for people: "MX", "MTA-STS", ...

struct Line {
  Item item = Item::mx;
  Verdict verdict = Verdict::good;
  std::string text;
  std::string remedy;  // empty exactly where the verdict is good
};

struct AddressReport {
  std::string address;
  bool usable = false;  // a delivery would hand mail over there
  std::vector<Line> lines;
};

struct HostReport {
  std::string host;
  Verdict verdict = Verdict::good;
  std::vector<Line> lines;
  std::vector<AddressReport> addresses;
};

struct DomainReport {
  std::string domain;
  // The worst line's. What holds up mail at one host, while another takes it, is a warning.
  Verdict verdict = Verdict::good;
  std::string summary;
  std::vector<Line> lines;
  std::vector<HostReport> hosts;
};

DomainReport report(const DomainFacts& facts);

// The parts of it.
std::vector<Line> domain_lines(const DomainFacts& facts);
HostReport report_host(const DomainFacts& facts, const HostFacts& host);
std::vector<Line> address_lines(const DomainFacts& facts, const HostFacts& host,
                                const delivery::Probed& probed);

}  // namespace pinnace::check
