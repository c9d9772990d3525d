// The MTA-STS policies that a gate serves over HTTPS (RFC 8461 3.3): of [[gate.domain]], with the pins of the
// keys that are in service, which a reload may have refused to change.
#pragma once

#include "app/config.hpp"
#include "gate/face.hpp"
#include "http/server.hpp"
#include "publish/policy.hpp"

namespace pinnace::app {

class PoliciesServed {
 public:
  // From the next request on. A policy for whose host none of the server's certificates is, so that no sender
  // can fetch it, is warned of.
  void set(std::vector<publish::Domain> domains, const gate::Face& face, const tls::ServerContext& tls);
  // The keys have changed, perhaps.
  void renew(const gate::Face& face);

  http::Resource resource();  // at publish::kPolicyPath; this outlives the server

 private:
  io::Task<http::ServerResponse> answer(http::ServerRequest request) const;

  std::vector<publish::Domain> domains_;
  publish::PolicySite site_;
};

}  // namespace pinnace::app
