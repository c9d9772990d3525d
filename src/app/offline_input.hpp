// What the commands that need no network read, and how they refuse what they cannot.
#pragma once

#include <string>

#include "tls/verify.hpp"

namespace pinnace::app {

// Exit codes: 0 yes, 1 no, 2 wrong usage.
inline constexpr int kYes = 0, kNo = 1, kUsage = 2;

// Says `what` on standard error; gives kUsage.
int usage(const std::string& what);

// At most 16 MiB; "-" is standard input. Error "app.file" names the path.
base::Result<std::string> read_file(const std::string& path);
// PEM, leaf first.
base::Result<tls::PeerChain> read_chain(const std::string& path);
// Trust anchors; empty: the system's.
base::Result<tls::TrustStore> read_roots(const std::string& path);
// RFC 3339 or seconds since 1970; empty: now. Error names --time.
base::Result<base::Time> read_time(const std::string& text);

}  // namespace pinnace::app
