// What is looked up of one next hop: the domain, and its mail hosts side by side. On the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "discovery/gatherer.hpp"
#include "policyd/prober.hpp"
#include "postfix/domain_known.hpp"
#include "socketmap/destination.hpp"

namespace pinnace::policyd {

class Lookup {
 public:
  Lookup(io::Loop& loop, discovery::Gatherer gatherer, socketmap::Destination key, std::uint16_t port);

  // Ends when all is known, or after `timeout`: what is not known by then counts as a failure, of a host or
  // of the domain. What still comes is found in the caches by the next one.
  static io::Task<void> run(std::shared_ptr<Lookup> lookup, base::Milliseconds timeout);

  // `bound_before`: something was demanded of connections to it before, so that an answer which says there is
  // nothing there any more ends no policy.
  postfix::DomainKnown known(base::Time now, bool bound_before) const;
  // Puts what was seen of the hosts by probes into `known`.
  void see(const Prober& prober, postfix::DomainKnown& known) const;
  // Has the hosts probed that can be. `needed`: what is told rests on what they show, or would.
  void probe(Prober& prober, bool needed) const;

  // Nothing was learned by it: the DNS could not be asked, or vouches for nothing. Of a host that is so where
  // its addresses are known and its TLSA records cannot be had (RFC 7672 2.1.2).
  static bool failed(const postfix::DomainKnown& known);
  static bool failed_in_part(const postfix::DomainKnown& known);  // of one host at least
  // Something enforced is behind it that the DNS alone does not give: pins, or an MTA-STS policy.
  static bool keeps(const postfix::DomainKnown& known);

  base::Seconds ttl() const;                  // the least of what the DNS said
  std::vector<base::Time> ends() const;       // of policies and pins
  std::vector<std::string> bound_to() const;  // the names that pins of it are bound to
  bool uses(const std::string& binding) const;
  static std::string index_of_domain(const std::string& domain) { return "@" + domain; }

 private:
  struct Host {
    std::string name;
    std::optional<base::Result<discovery::HostFacts>> found;  // nothing: not yet
    std::shared_ptr<const policy::Decision> decision;
  };
  static io::Task<void> gather(std::shared_ptr<Lookup> self);
  static io::Task<void> gather_host(std::shared_ptr<Lookup> self, std::size_t at);
  void end();
  bool bound() const;
  postfix::DomainKnown none(base::Time now, bool bound_before) const;

  io::Loop& loop_;
  discovery::Gatherer gatherer_;
  socketmap::Destination key_;
  std::uint16_t port_;
  std::optional<base::Result<discovery::DomainFacts>> domain_;
  std::vector<Host> hosts_;
  std::size_t left_ = 0;
  bool ended_ = false;
  io::Timer timer_;
};

}  // namespace pinnace::policyd
