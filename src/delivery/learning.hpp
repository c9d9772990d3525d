// What a session teaches: pins and STSEC, noted by the rules of pins/noting.hpp.
#pragma once

#include <string>

#include "delivery/session.hpp"
#include "discovery/pin_store.hpp"

namespace pinnace::delivery {

// PKP or STSEC before TLS is ignored, and reported (pinning-protocol 1.1): also of a session that failed.
void report_advert_before_tls(const Session& session);

// `host_key` is the MX host as it is bound (with ":port" where it is not 25).
// After the second EHLO: what binds the host.
io::Task<void> learn_host(Tools& tools, discovery::PinStore& store, Session& session, std::string host_key);

// After a message for `domain` was accepted: what binds the domain. Once for a session and domain.
io::Task<void> learn_domain(Tools& tools, discovery::PinStore& store, Session& session, std::string domain);

}  // namespace pinnace::delivery
