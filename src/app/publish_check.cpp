// `pinnace publish check`
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "app/answer.hpp"
#include "app/check_output.hpp"
#include "app/publish_lookup.hpp"
#include "app/publish_parts.hpp"
#include "base/log.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

using publish::Finding;
using publish::Weight;

constexpr int kGood = 0, kWarnings = 1, kHeld = 2;

// A host, or a domain, and what was found of it.
struct Part {
  std::string name;
  std::vector<Finding> findings;

  Weight worst() const {
    Weight out = Weight::good;
    for (const Finding& f : findings) out = std::max(out, f.weight);
    return out;
  }
};

struct Mark {
  std::string_view sign, colour, name;
};
Mark mark(Weight weight) {
  constexpr Mark kMarks[] = {
      {"✔", "32", "good"}, {"•", "36", "note"}, {"▲", "33", "warning"}, {"✘", "31", "would-defer"}};
  return kMarks[static_cast<std::size_t>(weight)];
}

std::string painted(bool colour, std::string_view code, std::string_view text) {
  return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

void print_table(const std::vector<Part>& parts, bool colour) {
  for (const Part& part : parts) {
    const Mark whole = mark(part.worst());
    fmt::print("{} {}: {}\n", painted(colour, whole.colour, whole.sign), painted(colour, "1", part.name),
               whole.name);
    for (const Finding& f : part.findings) {
      const Mark m = mark(f.weight);
      const std::string owner = f.owner == part.name ? "" : f.owner + "  ";
      fmt::print("  {} {:<8}{:<8} {}{}\n", painted(colour, m.colour, m.sign), to_string(f.state),
                 to_string(f.about), owner, printable(f.text));
      if (!f.remedy.empty())
        fmt::print("             {}\n", painted(colour, "1", "→ " + printable(f.remedy)));
    }
  }
}

json::array to_json(const std::vector<Finding>& findings) {
  json::array out;
  for (const Finding& f : findings) {
    out.push_back(
        json::object{{"about", to_string(f.about)},
                     {"owner", f.owner},
                     {"state", to_string(f.state)},
                     {"verdict", mark(f.weight).name},
                     {"text", f.text},
                     {"remedy", f.remedy},
                     {"after", f.after ? json::value(base::format_time(*f.after)) : json::value()}});
  }
  return out;
}

json::array to_json(const std::vector<Part>& parts, const char* kind) {
  json::array out;
  for (const Part& part : parts) {
    out.push_back(json::object{
        {kind, part.name}, {"verdict", mark(part.worst()).name}, {"findings", to_json(part.findings)}});
  }
  return out;
}

io::Task<Answer> compare_all(Lookups& lookups, const publish::Settings& settings, Served& out) {
  out = co_await look_up_served(lookups, settings);
  co_return json::value(nullptr);
}

}  // namespace

int publish_check(const PublishRequest& request) {
  const auto ttl = read_ttl(request);
  if (!ttl) return own_error(ttl.error().detail);
  const auto settings = read_settings(request);
  if (!settings) return own_error(settings.error().detail);
  // What a lookup would log stands in the report.
  base::set_log_level(base::Level::error);
  Served served;
  const Answer done =
      look_up(request.config, [&](Lookups& lookups) { return compare_all(lookups, *settings, served); });
  if (!done) return own_error(done.error().detail);
  const publish::Moment moment{base::SystemClock().now(), *ttl};
  std::vector<Part> hosts, domains;
  for (std::size_t i = 0; i < settings->hosts.size(); ++i) {
    const publish::Host& host = settings->hosts[i];
    hosts.push_back({host.name.str(), publish::compare(host, served.hosts[i], moment)});
  }
  for (std::size_t i = 0; i < settings->domains.size(); ++i) {
    const publish::Domain& domain = settings->domains[i];
    domains.push_back({domain.name.str(), publish::compare(*settings, domain, served.domains[i])});
  }
  Weight worst = Weight::good;
  for (const auto* parts : {&hosts, &domains}) {
    for (const Part& part : *parts) worst = std::max(worst, part.worst());
  }
  if (request.json) {
    print_json(json::object{{"checked", base::format_time(moment.now)},
                            {"verdict", mark(worst).name},
                            {"hosts", to_json(hosts, "host")},
                            {"domains", to_json(domains, "domain")}});
  } else {
    const bool colour = terminal_style(request.no_color).colour;
    print_table(hosts, colour);
    print_table(domains, colour);
  }
  if (std::fflush(stdout) != 0) return own_error("standard output cannot be written");
  return worst <= Weight::note ? kGood : worst == Weight::warning ? kWarnings : kHeld;
}

}  // namespace pinnace::app
