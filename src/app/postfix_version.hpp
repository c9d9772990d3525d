#pragma once

#include <string>
#include <string_view>

namespace pinnace::app {

// What `postconf -h mail_version` says on this machine, five seconds at most; empty: there is none. Runs a
// program: before the sandbox.
std::string postfix_version();

// Postfix 3.10 and later report on TLS (RFC 8460) from attributes of a policy; earlier ones refuse these.
bool takes_tls_reports(std::string_view version);

}  // namespace pinnace::app
