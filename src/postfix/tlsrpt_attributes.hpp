// What Postfix 3.10 and later report to an MTA-STS domain about its policy (RFC 8460), as attributes of an
// entry of smtp_tls_policy_maps (Postfix's TLSRPT_README, "MTA-STS Support via smtp_tls_policy_maps").
#pragma once

#include <string>
#include <string_view>

#include "sts/cached.hpp"

namespace pinnace::postfix {

// " policy_type=sts policy_domain=... { policy_string = version: STSv1 } ...", a blank in front; empty where
// the policy cannot be written. Whatever the policy says, each of its lines is one attribute's value or is
// left out. `failure` (RFC 8460 4.3.2.2), if not empty: Postfix fails each delivery with it, and reports
// that.
std::string tlsrpt_attributes(const sts::Cached& policy, base::Time now, std::string_view failure = {});

}  // namespace pinnace::postfix
