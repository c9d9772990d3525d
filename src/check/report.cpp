#include "check/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pinnace::check {
namespace {

Verdict worst(const std::vector<Line>& lines) {
  Verdict out = Verdict::good;
  for (const Line& line : lines) out = std::max(out, line.verdict);
  return out;
}

bool usable(const HostReport& host) {
  return std::any_of(host.addresses.begin(), host.addresses.end(),
                     [](const AddressReport& a) { return a.usable; });
}

std::string authenticated(const delivery::Probed& p) {
  if (p.verified_by == "nothing") return "nobody authenticated";
  if (p.verified_by == "webpki") return "authenticated by a trusted CA";
  const bool dane = p.verified_by.starts_with("dane");
  return "authenticated by " + (dane ? "DANE" + p.verified_by.substr(4) : p.verified_by);
}

// Where mail would go first, and how.
std::string route(const DomainFacts& facts) {
  for (const HostFacts& host : facts.hosts) {
    for (const delivery::Probed& p : host.probed) {
      if (!p.usable) continue;
      if (!p.no_tls.empty() || host.decision.tls_never)
        return fmt::format("mail goes to {} in the clear", host.host);
      return fmt::format("mail goes to {} over {}, {}", host.host, p.version, authenticated(p));
    }
  }
  return {};
}

// What stands against a host: the labels of the lines that hold mail up.
std::string against(const HostReport& host) {
  std::vector<std::string_view> out;
  const auto collect = [&out](const std::vector<Line>& lines) {
    for (const Line& line : lines) {
      const bool known = std::find(out.begin(), out.end(), label(line.item)) != out.end();
      if (line.verdict >= Verdict::would_defer && !known) out.push_back(label(line.item));
    }
  };
  collect(host.lines);
  for (const AddressReport& a : host.addresses) collect(a.lines);
  return fmt::format("{}: {}", host.host, fmt::join(out, ", "));
}

std::string summary_of(const DomainFacts& facts, const DomainReport& report) {
  using Kind = dns::MailHosts::Kind;
  if (facts.mx.kind == Kind::null_mx) return "takes no mail, and says so";
  if (facts.mx.kind == Kind::no_domain) return "there is no such domain";
  if (facts.mx.kind == Kind::failure) return "its mail hosts cannot be looked up";
  std::string to = route(facts);
  if (!to.empty()) return to;
  std::vector<std::string> all;
  for (const HostReport& host : report.hosts) all.push_back(against(host));
  return fmt::format("no host can be used ({})", fmt::join(all, "; "));
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "good";
    case Verdict::note:
      return "note";
    case Verdict::warning:
      return "warning";
    case Verdict::would_defer:
      return "would-defer";
    case Verdict::would_bounce:
      break;
  }
  return "would-bounce";
}

namespace {

struct Names {
  std::string_view program, label;
};
Names names_of(Item item) {
  switch (item) {
    case Item::mx:
      return {"mx", "MX"};
    case Item::sts:
      return {"mta-sts", "MTA-STS"};
    case Item::tlsrpt:
      return {"tlsrpt", "TLSRPT"};
    case Item::protection:
      return {"protection", "Protection"};
    case Item::address:
      return {"address", "Address"};
    case Item::connection:
      return {"connection", "Connection"};
    case Item::tls:
      return {"tls", "TLS"};
    case Item::certificate:
      return {"certificate", "Certificate"};
    case Item::dane:
      return {"dane", "DANE"};
    case Item::pkp:
      return {"pkp", "Pins"};
    case Item::stsec:
      return {"stsec", "STSEC"};
    case Item::requiretls:
      return {"requiretls", "REQUIRETLS"};
    case Item::policy:
      break;
  }
  return {"policy", "Policy"};
}

}  // namespace

namespace {

Line address_line(const DomainFacts& facts, const HostFacts& host) {
  if (host.lookup_failed) {
    return {Item::address, Verdict::would_defer, host.no_address,
            fmt::format(
                "Ask each name server of {} for its A and AAAA records: one of them does not answer, or its "
                "DNSSEC signatures do not hold",
                host.host)};
  }
  // RFC 5321 5.1: where the domain is its own host, that is final.
  if (facts.mx.implicit) {
    return {Item::address, Verdict::would_bounce, host.no_address + ", and the domain has no MX record",
            fmt::format("Publish MX records that name the hosts of {}, or the null MX if it takes no mail",
                        facts.domain)};
  }
  return {Item::address, Verdict::would_defer, host.no_address,
          fmt::format("Publish an A or AAAA record for {}, or take it out of the MX records", host.host)};
}

}  // namespace

std::string_view to_string(Item item) { return names_of(item).program; }
std::string_view label(Item item) { return names_of(item).label; }

DomainReport report(const DomainFacts& facts) {
  DomainReport out;
  out.domain = facts.domain;
  out.lines = domain_lines(facts);
  out.verdict = worst(out.lines);
  bool any = false;
  Verdict of_hosts = Verdict::good;
  for (const HostFacts& host : facts.hosts) {
    out.hosts.push_back(report_host(facts, host));
    any = any || usable(out.hosts.back());
    of_hosts = std::max(of_hosts, out.hosts.back().verdict);
  }
  if (any) of_hosts = std::min(of_hosts, Verdict::warning);
  out.verdict = std::max(out.verdict, of_hosts);
  out.summary = summary_of(facts, out);
  return out;
}

HostReport report_host(const DomainFacts& facts, const HostFacts& host) {
  HostReport out;
  out.host = host.host;
  if (!host.no_address.empty()) out.lines.push_back(address_line(facts, host));
  Verdict of_addresses = Verdict::good;
  for (const delivery::Probed& probed : host.probed) {
    out.addresses.push_back({probed.address.str(), probed.usable, address_lines(facts, host, probed)});
    of_addresses = std::max(of_addresses, worst(out.addresses.back().lines));
  }
  if (usable(out)) of_addresses = std::min(of_addresses, Verdict::warning);
  out.verdict = std::max(worst(out.lines), of_addresses);
  return out;
}

}  // namespace pinnace::check
