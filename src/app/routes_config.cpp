#include "app/routes_config.hpp"

#include <fmt/format.h>

namespace pinnace::app {
namespace {

using discovery::FixedRoute;
using discovery::NextHop;

FixedRoute read_route(TomlSection& s) {
  std::string domain = s.required_text("domain");
  if (domain.starts_with('.')) domain.insert(0, 1, '*');
  const auto pattern = policy::NamePattern::parse(domain);
  if (!pattern && !domain.empty()) s.problem("domain", pattern.error().detail);
  const bool lmtp = s.has("lmtp");
  if (lmtp == s.has("smtp")) s.problem("", "one of lmtp and smtp is expected");
  const char* key = lmtp ? "lmtp" : "smtp";
  std::vector<NextHop> hops;
  for (const std::string& text : s.one_or_more(key)) {
    auto hop = NextHop::parse(text);
    if (!hop) {
      s.problem(key, hop.error().detail);
    } else if (hop->local() && !lmtp) {
      s.problem(key, "a UNIX socket is expected behind lmtp only");
    } else {
      hops.push_back(std::move(*hop));
    }
  }
  if (hops.size() > dns::MailHosts::kMostHosts)
    s.problem(key, fmt::format("at most {} are taken", dns::MailHosts::kMostHosts));
  return {pattern ? *pattern : *policy::NamePattern::parse("*"),
          lmtp ? FixedRoute::Protocol::lmtp : FixedRoute::Protocol::smtp, std::move(hops)};
}

}  // namespace

discovery::FixedRoutes read_routes(TomlFile& file) {
  TomlSection whole = file.section("");
  std::vector<FixedRoute> routes;
  for (TomlSection& s : whole.sections("route")) routes.push_back(read_route(s));
  auto made = discovery::FixedRoutes::make(std::move(routes));
  if (made) return std::move(*made);
  whole.problem("route", made.error().detail);
  return {};
}

}  // namespace pinnace::app
