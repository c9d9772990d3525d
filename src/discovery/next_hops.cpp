#include "discovery/next_hops.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "names/domain.hpp"

namespace pinnace::discovery {

base::Result<NextHop> NextHop::parse(std::string_view text) {
  const auto bad = [&] {
    return base::fail("discovery.next_hop",
                      fmt::format("'{}' is no next hop: write mail.example.net:587, 192.0.2.1:25, "
                                  "[2001:db8::1]:25 or unix:/path/to/socket",
                                  text));
  };
  if (text.starts_with("unix:")) {
    const auto socket = io::Endpoint::parse(text);
    // As it is named when the service has another working folder too.
    if (!socket || !socket->unix_path.starts_with('/')) return bad();
    return NextHop{socket->str(), 0, socket->unix_path};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  NextHop out;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (code != std::errc{} || end != digits.data() + digits.size() || out.port == 0) return bad();
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  if (const auto address = io::IpAddress::parse(host)) {
    if (!address->is_v4() && !brackets) return bad();
    out.host = "[" + address->str() + "]";
    return out;
  }
  const auto name = names::Domain::parse(host);
  if (!name || brackets) return bad();
  out.host = name->str();
  return out;
}

std::string NextHop::str() const { return local() ? host : fmt::format("{}:{}", host, port); }

std::string NextHop::binding() const { return port == 25 ? host : str(); }

std::string_view to_string(FixedRoute::Protocol protocol) {
  return protocol == FixedRoute::Protocol::lmtp ? "lmtp" : "smtp";
}

FixedRoute::FixedRoute(policy::NamePattern domains, Protocol how, std::vector<NextHop> where)
    : pattern(std::move(domains)), protocol(how), hops(std::move(where)) {
  dns::MailHosts named;
  named.kind = dns::MailHosts::Kind::hosts;
  for (const NextHop& hop : hops) named.hosts.push_back(hop.str());
  hosts = std::make_shared<const dns::MailHosts>(std::move(named));
}

const NextHop* FixedRoute::find(std::string_view host) const {
  const auto found =
      std::find_if(hops.begin(), hops.end(), [&](const NextHop& h) { return h.str() == host; });
  return found == hops.end() ? nullptr : &*found;
}

std::string FixedRoute::str() const {
  return fmt::format("{} by {} to {}", pattern.str(), to_string(protocol),
                     fmt::join(hosts->hosts, ", then "));
}

base::Result<FixedRoutes> FixedRoutes::make(std::vector<FixedRoute> routes) {
  FixedRoutes out;
  for (FixedRoute& route : routes) {
    for (const auto& other : out.routes_) {
      if (other->pattern == route.pattern)
        return base::fail("discovery.route", fmt::format("there are two routes for {}", route.pattern.str()));
    }
    out.routes_.push_back(std::make_shared<const FixedRoute>(std::move(route)));
  }
  std::sort(out.routes_.begin(), out.routes_.end(),
            [](const auto& a, const auto& b) { return a->pattern.specificity() > b->pattern.specificity(); });
  return out;
}

std::shared_ptr<const FixedRoute> FixedRoutes::find(std::string_view domain) const {
  for (const auto& route : routes_) {
    if (route->pattern.matches(domain)) return route;
  }
  return nullptr;
}

}  // namespace pinnace::discovery
