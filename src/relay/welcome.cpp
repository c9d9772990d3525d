// Whose session it is: the connection's peer, whom a front names by the PROXY protocol or XCLIENT, and who
// logs in.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "io/proxy_header.hpp"
#include "relay/session.hpp"

namespace pinnace::relay {

using smtp::Reply;

namespace {

constexpr auto kHeaderTime = std::chrono::seconds(10);  // for a PROXY header

bool among(const std::vector<io::Network>& networks, const io::IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const io::Network& n) { return n.contains(address); });
}

}  // namespace

void Relay::forget_client(Session& s) {
  if (!std::exchange(s.counted, false)) return;
  const auto there = per_client_.find(s.client.party());
  if (--there->second == 0) per_client_.erase(there);
}

bool Relay::count_client(Session& s, io::IpAddress client) {
  forget_client(s);
  s.client = client;
  s.in_networks = among(s.listener.networks, client);
  const auto there = per_client_.find(client.party());
  if (there != per_client_.end() && there->second >= s.listener.max_sessions_per_client) return false;
  ++per_client_[client.party()];
  s.counted = true;
  return true;
}

smtp::ServerOptions Relay::options_for(const Session& s) const {
  smtp::ServerOptions options;
  options.hostname = settings_.hostname;
  options.starttls = options.requiretls = tls_.has_value();
  options.chunking = options.dsn = true;
  options.tls_first = s.listener.kind == ListenerSettings::Kind::submissions;
  options.auth = options.auth_required = s.listener.for_users();
  options.xclient = s.front;
  options.max_message_size = s.listener.max_message_size;
  options.max_recipients = s.listener.max_recipients;
  options.max_errors = settings_.max_errors;
  options.max_text_line = settings_.max_text_line;
  return options;
}

io::Task<void> Relay::turn_away(std::shared_ptr<Session> session, std::string why) {
  Session& s = *session;
  base::log_warning("session_refused",
                    {{"client", s.client.str()}, {"listener", s.listener.name}, {"why", why}});
  // Inside TLS alone could it be said to a client that begins with it.
  if (s.listener.kind != ListenerSettings::Kind::submissions) {
    s.allow(kHeaderTime);
    const std::string busy = Reply::make(421, "4.3.2 " + settings_.hostname + " " + why).wire();
    const auto said = co_await s.stream.write_all(busy);
    (void)said;
  }
  s.stream.close();
}

io::Task<void> Relay::welcome(std::shared_ptr<Session> session) {
  Session& s = *session;
  const Registration registered{*this, s};
  io::IpAddress client = s.client;
  bool known = true;
  if (among(s.listener.proxy_from, client)) {
    s.allow(kHeaderTime);
    const auto header = co_await io::read_proxy_header(s.stream);
    if (!header) {
      base::log_warning("proxy_header_bad", {{"front", client.str()}, {"detail", header.error().detail}});
      s.stream.close();
      co_return;
    }
    if (header->client) client = header->client->address;
    known = header->client || header->own;
  }
  // A front speaks for many: whom it names counts.
  s.front = known && among(s.listener.xclient_from, client);
  const bool room = s.front || count_client(s, client);
  if (!room) {
    co_await turn_away(session, "too many connections");
    co_return;
  }
  s.client = client;
  // Whom a front cannot name has none of the rights of its address.
  s.in_networks = known && among(s.listener.networks, client);
  s.server = smtp::Server(options_for(s));
  co_await serve(session);
}

io::Task<Reply> Relay::take_xclient(Session& s, smtp::Xclient named) {
  if (named.address) {
    const auto client = io::IpAddress::parse(*named.address);
    if (!client && !named.address->empty()) co_return Reply::make(501, "5.5.4 ADDR= takes an IP address");
    if (client && !count_client(s, *client)) {
      base::log_warning("session_refused", {{"client", client->str()}, {"why", "too many connections"}});
      co_return Reply::make(421, "4.3.2 " + settings_.hostname + " too many connections");
    }
    // A client whom the front cannot name is in no network.
    if (!client) s.in_networks = false;
  }
  if (named.name) s.client_host = *named.name;
  if (named.address || named.login) s.senders.clear();
  if (named.login && !named.login->empty() && logins_) {
    auto senders = co_await logins_->senders_of(*named.login);
    s.senders = std::move(senders);
  }
  co_return Reply::make(220, settings_.hostname + " ESMTP Pinnace");
}

io::Task<void> Relay::log_in(Session& s, smtp::Login login) {
  auth::Verdict verdict;
  if (!s.listener.networks.empty() && !s.in_networks) {
    verdict = {auth::Verdict::Kind::bad, "not from this network", {}};
  } else {
    std::string party = s.client.party().str();
    std::string password = std::move(login.password);
    verdict = co_await logins_->check(std::move(party), login.user, std::move(password));
  }
  if (verdict.kind != auth::Verdict::Kind::good) {
    base::log_warning("login_failed", {{"client", s.client.str()},
                                       {"user", login.user},
                                       {"listener", s.listener.name},
                                       {"why", verdict.why}});
    const bool bad = verdict.kind == auth::Verdict::Kind::bad;
    s.server.answer(bad ? Reply::make(535, "5.7.8 user or password is wrong")
                        : Reply::make(454, "4.7.0 no login now, try again later"));
    co_return;
  }
  base::log_info("login", {{"client", s.client.str()}, {"user", login.user}, {"listener", s.listener.name}});
  s.senders = std::move(verdict.senders);
  s.server.answer(Reply::make(235, "2.7.0 welcome"));
}

}  // namespace pinnace::relay
