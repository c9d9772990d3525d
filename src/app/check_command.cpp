// `pinnace check DOMAIN...`
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "app/answer.hpp"
#include "app/check_output.hpp"
#include "app/commands.hpp"
#include "app/lookups.hpp"
#include "app/offline_input.hpp"
#include "app/own_name.hpp"
#include "app/rules_reload.hpp"
#include "base/log.hpp"
#include "check/checker.hpp"

namespace pinnace::app {
namespace json = boost::json;
namespace {

constexpr int kGood = 0, kWarnings = 1, kWouldNotArrive = 2, kOwnError = 3;
constexpr std::size_t kConnectionsADomain = 4;

int own_error(const std::string& what) {
  (void)usage(what);
  return kOwnError;
}

// Adds one domain, once. `where` stands before what is wrong with it.
base::Result<> add_domain(std::string_view text, const std::string& where, std::vector<std::string>& to) {
  const std::string hint =
      text.find('@') == std::string_view::npos ? "" : ": name the domain alone, behind the @";
  const auto domain = names::Domain::parse(text);
  if (!domain)
    return base::fail("app.usage", where + std::string(text) + ": " + domain.error().detail + hint);
  if (std::find(to.begin(), to.end(), domain->str()) == to.end()) to.push_back(domain->str());
  return {};
}

base::Result<> add_file(const std::string& file, std::vector<std::string>& to) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  int number = 0;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string_view line = std::string_view(*text).substr(at, end - at);
    at = end + 1;
    ++number;
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    auto added = add_domain(line, fmt::format("{}:{}: ", file, number), to);
    if (!added) return added;
  }
  return {};
}

base::Result<std::vector<std::string>> domains_of(const CheckRequest& request) {
  std::vector<std::string> out;
  for (const std::string& text : request.domains) {
    auto added = add_domain(text, "", out);
    if (!added) return std::unexpected(added.error());
  }
  if (!request.file.empty()) {
    auto added = add_file(request.file, out);
    if (!added) return std::unexpected(added.error());
  }
  if (out.empty()) {
    return base::fail("app.usage",
                      request.file.empty()
                          ? "name a DOMAIN, or a FILE of them with --file ('pinnace check --help')"
                          : request.file + ": there is no domain in it");
  }
  return out;
}

// One line on standard error that is written over, where a person looks at it.
class Progress {
 public:
  explicit Progress(std::size_t all) : all_(all), shown_(isatty(STDERR_FILENO) == 1) { show(0); }
  ~Progress() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  void show(std::size_t done) const {
    if (!shown_) return;
    fmt::print(stderr, "\r\x1b[Kchecked {} of {} …", done, all_);
    std::fflush(stderr);
  }

 private:
  std::size_t all_;
  bool shown_;
};

// What the check of all domains needs, and where its facts go.
struct Order {
  std::vector<std::string> domains;
  base::Milliseconds timeout{};
  std::size_t parallel = 0;
  std::vector<check::DomainFacts> found;
};

io::Task<Answer> check_them(Lookups& lookups, Order& order, const Progress& progress) {
  delivery::Settings settings = lookups.config.delivery;
  if (settings.hostname.empty()) settings.hostname = own_name();
  settings.connect_timeout = settings.greeting_timeout = settings.command_timeout = order.timeout;
  settings.opening_timeout = order.timeout;
  delivery::Tools tools{lookups.loop, lookups.clock, settings, {}, lookups.roots};
  tools.client_certificates =
      std::make_shared<delivery::ClientCertificates>(by_fingerprint(lookups.config.client_certificates));
  const check::Means means{lookups.resolver, lookups.gatherer, tools};
  check::Bounds bounds;
  bounds.domains = order.parallel;
  bounds.connections = kConnectionsADomain * order.parallel;
  order.found = co_await check::check_all(means, bounds, order.domains,
                                          [&progress](std::size_t done) { progress.show(done); });
  co_return json::value(nullptr);
}

int exit_code(std::span<const check::DomainReport> reports) {
  auto worst = check::Verdict::good;
  for (const auto& r : reports) worst = std::max(worst, r.verdict);
  return worst <= check::Verdict::note      ? kGood
         : worst == check::Verdict::warning ? kWarnings
                                            : kWouldNotArrive;
}

}  // namespace

int check_domains(const CheckRequest& request) {
  auto domains = domains_of(request);
  if (!domains) return own_error(domains.error().detail);
  const auto timeout = base::parse_duration(request.timeout);
  if (!timeout || *timeout < base::Seconds(1) || *timeout > std::chrono::hours(1))
    return own_error("--timeout: a time from 1s to 1h is expected, such as 30s");
  // What a lookup would log stands in the report.
  base::set_log_level(base::Level::error);
  Order order{std::move(*domains), *timeout, request.parallel, {}};
  Answer done;
  {
    const Progress progress(order.domains.size());
    done = look_up(request.config, [&](Lookups& lookups) { return check_them(lookups, order, progress); });
  }
  if (!done) return own_error(done.error().detail);
  std::vector<check::DomainReport> reports;
  json::array all;
  for (const check::DomainFacts& facts : order.found) {
    reports.push_back(check::report(facts));
    if (request.json) all.push_back(check_json(facts, reports.back()));
  }
  if (request.json) {
    print_json(std::move(all));
  } else {
    fmt::print("{}", check_table(reports, terminal_style(request.no_color)));
  }
  if (std::fflush(stdout) != 0) return own_error("standard output cannot be written");
  return exit_code(reports);
}

}  // namespace pinnace::app
