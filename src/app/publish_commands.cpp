#include "app/publish_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>

#include "app/answer.hpp"
#include "app/offline_input.hpp"
#include "app/publish_config.hpp"
#include "app/publish_files.hpp"
#include "app/publish_parts.hpp"
#include "publish/nsupdate.hpp"
#include "publish/policy.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr int kGood = 0, kOwnError = 3;

base::Result<> keep_named(const PublishRequest& request, publish::Settings& settings) {
  std::vector<publish::Domain> named;
  for (const std::string& text : request.domains) {
    const auto name = names::Domain::parse(text);
    if (!name) return base::fail("app.usage", name.error().detail);
    const auto found = std::find_if(settings.domains.begin(), settings.domains.end(),
                                    [&name](const publish::Domain& d) { return d.name == *name; });
    if (found == settings.domains.end()) {
      return base::fail("app.usage", fmt::format("{}: {} is no [[gate.domain]] there: add one",
                                                 request.config, name->str()));
    }
    named.push_back(*found);
  }
  if (request.domains.empty()) return {};
  settings.domains = std::move(named);
  std::erase_if(settings.hosts, [&settings](const publish::Host& host) {
    return std::none_of(settings.domains.begin(), settings.domains.end(), [&host](const publish::Domain& d) {
      return std::find(d.mx.begin(), d.mx.end(), host.name) != d.mx.end();
    });
  });
  return {};
}

void print_zone(std::span<const publish::Record> records, base::Seconds ttl) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const publish::Record& r = records[i];
    // RFC 7671 8.1
    if (r.type == publish::Record::Type::tlsa && (i == 0 || records[i - 1].owner != r.owner)) {
      fmt::print("; A backup goes live no sooner than two TTLs ({}) after its record was published.\n",
                 base::format_duration(2 * ttl));
    }
    // RFC 8461 3.1: who reads the record fetches the policy.
    if (r.text.starts_with("v=STSv1")) fmt::print("; Once its policy is served ('pinnace publish sts').\n");
    fmt::print("{} ; {}\n", publish::zone_line(r, ttl), r.comment);
  }
}

json::object to_json(const publish::Settings& settings, std::span<const publish::Record> records,
                     base::Seconds ttl) {
  json::array list, policies, remarks;
  for (const publish::Record& r : records) {
    list.push_back(json::object{{"owner", r.owner},
                                {"ttl", ttl.count()},
                                {"type", publish::to_string(r.type)},
                                {"data", publish::data(r)},
                                {"text", r.text},
                                {"what", r.comment}});
  }
  for (const publish::Domain& domain : settings.domains) {
    const auto policy = publish::policy_of(settings, domain);
    if (!policy) continue;
    policies.push_back(json::object{
        {"domain", domain.name.str()},
        {"url", fmt::format("https://{}{}", publish::policy_host(domain.name), publish::kPolicyPath)},
        {"id", policy->id},
        {"text", policy->text}});
  }
  for (const std::string& text : publish::remarks(settings)) remarks.emplace_back(text);
  return {{"ttl", ttl.count()},
          {"records", std::move(list)},
          {"policies", std::move(policies)},
          {"remarks", std::move(remarks)}};
}

}  // namespace

int own_error(const std::string& what) {
  (void)usage(what);
  return kOwnError;
}

base::Result<base::Seconds> read_ttl(const PublishRequest& request) {
  const auto ttl = base::parse_duration(request.ttl);
  // RFC 2181 8 has room for more; nobody waits two such TTLs.
  if (ttl && *ttl >= base::Seconds(1) && *ttl <= std::chrono::days(7)) return *ttl;
  return base::fail("app.usage", "--ttl: a time from 1s to 7d is expected, such as 1h");
}

base::Result<publish::Settings> read_settings(const PublishRequest& request) {
  const auto config = load_gate_config(request.config);
  if (!config) return std::unexpected(config.error());
  auto settings = to_publish(*config);
  if (!settings) return std::unexpected(settings.error());
  if (auto kept = keep_named(request, *settings); !kept) return std::unexpected(kept.error());
  return settings;
}

int publish_records(const PublishRequest& request) {
  const auto ttl = read_ttl(request);
  if (!ttl) return own_error(ttl.error().detail);
  const auto settings = read_settings(request);
  if (!settings) return own_error(settings.error().detail);
  const auto records = publish::records(*settings);
  const auto remarks = publish::remarks(*settings);
  if (request.json || request.format == "json") {
    print_json(to_json(*settings, records, *ttl));
  } else if (request.format == "nsupdate") {
    const auto step = request.step == "remove" ? publish::Step::remove : publish::Step::add;
    fmt::print("{}", publish::nsupdate(records, *ttl, step, base::SystemClock().now()));
  } else {
    print_zone(records, *ttl);
  }
  if (request.format != "json" && !request.json) {
    for (const std::string& text : remarks) fmt::print(stderr, "{}\n", text);
  }
  if (std::fflush(stdout) != 0) return own_error("standard output cannot be written");
  return kGood;
}

int publish_sts(const PublishRequest& request) {
  const auto settings = read_settings(request);
  if (!settings) return own_error(settings.error().detail);
  if (request.out.empty() && settings->domains.size() != 1)
    return own_error("name the one DOMAIN whose policy is to be printed, or a folder for all with --out");
  int written = 0;
  for (const publish::Domain& domain : settings->domains) {
    const auto policy = publish::policy_of(*settings, domain);
    if (!policy && request.out.empty())
      return own_error(domain.name.str() + " has no policy: its sts is \"off\"");
    if (!policy) continue;
    if (request.out.empty()) {
      fmt::print("{}", policy->text);
      continue;
    }
    const std::string path =
        fmt::format("{}/{}{}", request.out, publish::policy_host(domain.name), publish::kPolicyPath);
    if (auto done = write_public_file(path, policy->text); !done) return own_error(done.error().detail);
    fmt::print("{}\n", path);
    ++written;
  }
  if (!request.out.empty() && written == 0) return own_error("no domain there has a policy");
  if (std::fflush(stdout) != 0) return own_error("standard output cannot be written");
  return kGood;
}

namespace {

void add_shared(CLI::App* command, PublishRequest& request, const char* domains) {
  command->add_option("--config", request.config, "The gate's configuration")->capture_default_str();
  if (domains) command->add_option("DOMAIN", request.domains, domains);
}

}  // namespace

void add_publish_commands(CLI::App& root, PublishRequest& request, int& code) {
  const char* const some = "Domains of the configuration's [[gate.domain]]; none: all";
  const char* const ttl = "Of the records; a new key's are published two of them before it is used";
  auto* publish = root.add_subcommand(
      "publish",
      "Print what belongs in the DNS beside a gate, from its keys: TLSA, MTA-STS and TLSRPT records. "
      "Exit code: 0 good, 1 warnings, 2 mail would be held, 3 wrong usage, or an error of this machine's "
      "own");
  publish->require_subcommand(0, 1);
  add_shared(publish, request, some);
  publish->add_option("--format", request.format, "zone, nsupdate or json")
      ->check(CLI::IsMember({"zone", "nsupdate", "json"}))
      ->capture_default_str();
  publish
      ->add_option("--step", request.step,
                   "Of nsupdate: add what is new; or remove, two TTLs later, the TLSA records of old keys")
      ->check(CLI::IsMember({"add", "remove"}))
      ->capture_default_str();
  publish->add_option("--ttl", request.ttl, ttl)->capture_default_str();
  publish->add_flag("--json", request.json, "As --format json");
  publish->callback([publish, &request, &code] {
    if (publish->get_subcommands().empty()) code = publish_records(request);
  });

  auto* sts =
      publish->add_subcommand("sts", "Print a domain's MTA-STS policy, or write all for a web server");
  add_shared(sts, request, some);
  sts->add_option("--out", request.out, "Write FOLDER/mta-sts.DOMAIN/.well-known/mta-sts.txt for each");
  sts->callback([&] { code = publish_sts(request); });

  const struct {
    const char *name, *what, *file;
    int (*run)(const PublishRequest& request);
  } servers[] = {
      {"nginx",
       "Print an nginx.conf, with its script, for an nginx that stands as the MX and shows the same pins",
       "nginx.conf and pinnace_pins.js", publish_nginx},
      {"haraka", "Print a plugin by which Haraka shows the same pins", "pinnace_pins.js", publish_haraka},
  };
  for (const auto& server : servers) {
    auto* command = publish->add_subcommand(server.name, server.what);
    add_shared(command, request, nullptr);
    command->add_option("--out", request.out, fmt::format("Write FOLDER/{}", server.file));
    command->callback([&request, &code, run = server.run] { code = run(request); });
  }

  auto* check = publish->add_subcommand(
      "check",
      "Look up what the DNS and the policy hosts serve, and what to change. Exit code: 0 good, 1 warnings, 2 "
      "mail would be held, 3 wrong usage, or an error of this machine's own");
  add_shared(check, request, some);
  check->add_option("--ttl", request.ttl, ttl)->capture_default_str();
  check->add_flag("--json", request.json, "Answer in JSON, for programs");
  check->add_flag("--no-color", request.no_color,
                  "No colour on a terminal (so does NO_COLOR in the environment)");
  check->callback([&] { code = publish_check(request); });
}

}  // namespace pinnace::app
