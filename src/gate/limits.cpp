#include "gate/limits.hpp"

#include <algorithm>

namespace pinnace::gate {
namespace {

bool reached(std::size_t count, std::size_t most) { return most > 0 && count >= most; }

}  // namespace

Limits::Limits(LimitSettings settings)
    : settings_(std::move(settings)), networks_(settings_.networks.size()) {}

std::size_t Limits::network_of(const io::IpAddress& address) const {
  const auto holds = [&](const NetworkLimits& limits) {
    return std::ranges::any_of(limits.networks, [&](const io::Network& n) { return n.contains(address); });
  };
  return static_cast<std::size_t>(std::ranges::find_if(settings_.networks, holds) -
                                  settings_.networks.begin());
}

void Limits::begin_minute(base::Time now) {
  const auto minute = std::chrono::floor<std::chrono::minutes>(now);
  if (minute == minute_) return;
  minute_ = minute;
  std::erase_if(clients_, [](const auto& client) { return client.second.sessions == 0; });
  for (auto& [address, count] : clients_) count.came = 0;
  for (Count& network : networks_) network.came = 0;
}

std::string Limits::enter(const io::IpAddress& address, base::Time now) {
  begin_minute(now);
  const io::IpAddress party = address.party();
  const std::size_t index = network_of(address);
  const bool listed = index < networks_.size();
  const ClientLimits& most = listed ? settings_.networks[index].of_client : settings_.of_client;
  const auto known = clients_.find(party);
  Count client = known == clients_.end() ? Count() : known->second;
  const bool counted = known != clients_.end() || clients_.size() < kMostCounted + sessions_;
  // Who is refused has come all the same: else a flood would always find its next minute's share.
  ++client.came;
  if (counted) clients_[party] = client;
  if (most.per_minute > 0 && client.came > most.per_minute) return "too many connections in a minute";
  if (sessions_ >= settings_.max_sessions) return "too many sessions";
  if (client.sessions >= most.max_sessions) return "too many sessions of one client";
  if (listed) {
    const NetworkLimits& limits = settings_.networks[index];
    if (reached(networks_[index].sessions, limits.max_sessions)) return "too many sessions of a network";
    if (reached(networks_[index].came, limits.per_minute))
      return "too many connections of a network in a minute";
    ++networks_[index].sessions;
    ++networks_[index].came;
  }
  ++sessions_;
  ++clients_[party].sessions;
  return {};
}

void Limits::leave(const io::IpAddress& address) {
  --sessions_;
  const auto client = clients_.find(address.party());
  if (--client->second.sessions == 0 && client->second.came == 0) clients_.erase(client);  // uncounted
  if (const std::size_t index = network_of(address); index < networks_.size()) --networks_[index].sessions;
}

}  // namespace pinnace::gate
