// The mail hosts that can be tried now: a host's addresses, and the decision about it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "delivery/session.hpp"
#include "discovery/gatherer.hpp"

namespace pinnace::delivery {

struct Target {
  std::string host;
  std::string binding;  // what its pins are bound to
  std::vector<io::Endpoint> addresses;
  smtp::Client::Protocol protocol = smtp::Client::Protocol::smtp;
  std::shared_ptr<const policy::Decision> decision;
};

class Targets {
 public:
  Targets(const base::Clock& clock, const Settings& settings, discovery::Gatherer& gatherer)
      : clock_(clock), settings_(settings), gatherer_(gatherer) {}

  // What is known of a domain is gathered, and a decision made, once a second for the messages that they
  // cover; at once where something was noted or the rules are others.
  io::Task<base::Result<discovery::DomainFacts>> domain(std::string domain);
  io::Task<Attempt<std::shared_ptr<const Target>>> find(discovery::DomainFacts domain, std::string host,
                                                        std::shared_ptr<const queue::Message> message);

 private:
  struct Entry {
    std::shared_ptr<const dns::MailHosts> hosts;
    std::shared_ptr<const discovery::StsFound> sts;
    std::shared_ptr<const Target> target;
  };
  policy::Wish wish_of(const queue::Message& message) const;
  void forget_the_old();
  io::Task<Attempt<std::shared_ptr<const Target>>> decide(discovery::DomainFacts domain, std::string host,
                                                          policy::Wish wish, bool bounce);

  const base::Clock& clock_;
  const Settings& settings_;
  discovery::Gatherer& gatherer_;
  std::unordered_map<std::string, discovery::DomainFacts> domains_;
  std::unordered_map<std::string, Entry> made_;
  std::pair<std::uint64_t, std::uint64_t> version_;
  std::int64_t second_ = 0;
};

}  // namespace pinnace::delivery
