#include "app/publish_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "publish/record.hpp"

namespace pinnace::app {
namespace {

// Into `to`; what is wrong is told of the section.
void read_names(TomlSection& s, const std::string& key, std::vector<names::Domain>& to) {
  for (const std::string& text : s.one_or_more(key)) {
    auto name = names::Domain::parse(text);
    if (!name) {
      s.problem(key, name.error().detail);
    } else if (std::find(to.begin(), to.end(), *name) == to.end()) {
      to.push_back(std::move(*name));
    }
  }
}

void read_sts(TomlSection& s, const GateConfig& config, publish::Domain& to) {
  constexpr sts::Mode kModes[] = {sts::Mode::none, sts::Mode::testing, sts::Mode::enforce};
  const std::size_t sts = s.choice("sts", {"off", "none", "testing", "enforce"}, 2);
  if (sts > 0) to.sts = kModes[sts - 1];
  // A ledger remembers what is said in EHLO: only where that is all of max_age, and enforced, from the first
  // advert on does it outlast what the policy says.
  const bool at_once = config.data.empty() || (config.schedule.ramp.empty() && config.schedule.mode);
  to.sts_pins = config.gate.advert.scope == pins::Scope::domain &&
                config.gate.advert.mode == pins::Mode::enforce && at_once;
  // Who heard the policy holds its pins for as long as who heard the advert, and the gate answers for that.
  const base::Seconds most = to.sts_pins ? std::min(config.gate.advert.max_age, sts::kMaxAge) : sts::kMaxAge;
  to.sts_max_age = s.duration("sts_max_age", std::min<base::Seconds>(std::chrono::days(7), most));
  if (to.sts_max_age > most) {
    s.problem("sts_max_age", "at most " + base::format_duration(most) +
                                 (to.sts_pins && most < sts::kMaxAge
                                      ? " (gate.advert.max_age) is expected, since with scope DOMAIN the "
                                        "policy holds the pins"
                                      : " is expected (RFC 8461 3.2)"));
  }
}

std::optional<publish::Domain> read_domain(TomlSection& s, const GateConfig& config) {
  const std::string text = s.required_text("domain");
  const auto name = names::Domain::parse(text);
  if (!name && !text.empty()) s.problem("domain", name.error().detail);
  const auto host = names::Domain::parse(config.gate.hostname);
  std::vector<names::Domain> mx;
  if (s.has("mx")) {
    read_names(s, "mx", mx);
  } else if (host) {
    mx.push_back(*host);
  }
  if (!name) return std::nullopt;
  publish::Domain out{*name, std::move(mx), std::nullopt};
  read_sts(s, config, out);
  for (const std::string& uri : s.has("tlsrpt") ? s.one_or_more("tlsrpt") : std::vector<std::string>()) {
    if (auto escaped = publish::escaped_uri(uri)) {
      out.tlsrpt.push_back(std::move(*escaped));
    } else {
      s.problem("tlsrpt", escaped.error().detail);
    }
  }
  if (const auto good = publish::check(out); !good) s.problem("domain", good.error().detail);
  return out;
}

}  // namespace

std::vector<publish::Domain> read_domains(TomlSection& gate, const GateConfig& config) {
  std::vector<publish::Domain> out;
  for (TomlSection& s : gate.sections("domain")) {
    auto domain = read_domain(s, config);
    if (!domain) continue;
    const auto same = [&domain](const publish::Domain& d) { return d.name == domain->name; };
    if (std::any_of(out.begin(), out.end(), same))
      s.problem("domain", domain->name.str() + " is there twice");
    out.push_back(std::move(*domain));
  }
  return out;
}

namespace {

base::Result<publish::Host> keys_of(const GateHost& files) {
  auto name = names::Domain::parse(files.hostname);
  if (!name) return std::unexpected(name.error());
  publish::Host out{std::move(*name), {}, {}};
  for (const auto& [setting, paths, to] : {std::tuple{"certificate", &files.certificates, &out.live},
                                           std::tuple{"backup_key", &files.backup_keys, &out.backups}}) {
    for (const std::string& path : *paths) {
      const auto pin = tls::pin_of_file(path);
      if (!pin) return base::fail(pin.error().code, fmt::format("{}: {}", setting, pin.error().detail));
      to->push_back({*pin, {}});
    }
  }
  return out;
}

}  // namespace

base::Result<publish::Settings> to_publish(const GateConfig& config) {
  publish::Settings out;
  for (const GateHost& files : config.hosts) {
    auto host = keys_of(files);
    if (!host) return std::unexpected(host.error());
    // RFC 7672 2.2.3 looks at port 25; of 465 for who submits or relays there.
    if (!config.gate.listen_tls.empty()) host->ports.push_back(465);
    out.hosts.push_back(std::move(*host));
  }
  out.domains = config.domains;
  return out;
}

}  // namespace pinnace::app
